"""The paper's numbers [paper 7 of our notes: Tables 2-4, 6, 9-12, 15-17], to stand beside ours."""

SIZES = ("25m", "113m", "403m", "2b")

TOKEN_RATIO = {
    "Bytes": 1.0,
    "SentencePiece": 4.28,
    "AC[256]": 5.49,
    "AC[65k]": 10.98,
    "StaticAC[256]": 1.73,
    "StaticAC[65k]": 3.46,
    "GZip[256]": 2.23,
    "GZip[65k]": 4.47,
    "GZip[256], no header": 2.24,
    "GZip[65k], no header": 4.47,
    "EqualInfoAC[16, 256]": 2.66,
    "EqualInfoAC[24, 256]": 3.15,
    "EqualInfoAC[32, 256]": 3.49,
    "EqualInfoAC[64, 256]": 4.16,
    "EqualInfoAC[128, 256]": 4.61,
    "EqualInfoAC[16, 65k]": 5.31,
    "EqualInfoAC[24, 65k]": 6.30,
    "EqualInfoAC[32, 65k]": 6.97,
    "EqualInfoAC[64, 65k]": 8.33,
    "EqualInfoAC[128, 65k]": 9.22,
    "M1 reset every other window[16, 256]": 3.40,
    "M1 reset every other window[16, 65k]": 6.80,
    "M1 never reset[16, 256]": 5.33,
    "M1 never reset[16, 65k]": 10.66,
    "Delay[16, 256]": 2.20,
    "Delay[16, 65k]": 4.40,
}
"""Bytes of text per token [Tables 2, 9, 10, 12, 17]."""

UNIFORM_UNIGRAM = {
    "Bytes": (8.000, 4.602),
    "SentencePiece": (3.497, 2.443),
    "AC[256]": (1.457, 1.457),
    "StaticAC[256]": (4.624, 4.624),
    "EqualInfoAC[16, 256]": (3.008, 2.976),
    "EqualInfoAC[32, 256]": (2.292, 2.285),
    "EqualInfoAC[64, 256]": (1.923, 1.921),
    "EqualInfoAC[128, 256]": (1.735, 1.735),
    "GZip[256]": (3.587, 3.586),
}
"""Bits/byte of a uniform and of a unigram model [Table 3]."""

BITS_PER_BYTE = {
    "Bytes": (1.29, 1.16, 1.08, 1.03),
    "SentencePiece": (1.12, 1.01, 0.94, 0.87),
    "AC[256]": (1.46, 1.46, 1.46, 1.46),
    "AC[65k]": (1.46, 1.46, 1.46, 1.46),
    "StaticAC[256]": (4.61, 4.61, 4.61, 4.61),
    "StaticAC[65k]": (4.60, 4.60, 4.62, 4.62),
    "EqualInfoAC[16, 256]": (1.47, 1.23, 1.09, 0.99),
    "EqualInfoAC[16, 65k]": (1.25, 1.12, 1.02, 0.94),
    "EqualInfoAC[32, 256]": (2.05, 1.94, 1.83, 1.65),
    "EqualInfoAC[32, 65k]": (1.95, 1.85, 1.74, 1.63),
    "EqualInfoAC[64, 256]": (1.85, 1.82, 1.80, 1.79),
    "EqualInfoAC[64, 65k]": (1.82, 1.80, 1.79, 1.76),
    "EqualInfoAC[128, 256]": (1.71, 1.71, 1.71, 1.71),
    "EqualInfoAC[128, 65k]": (1.70, 1.69, 1.68, 1.67),
    "GZip[256]": (2.34, 1.93, 1.69, 1.56),
    "GZip[65k]": (2.92, 2.69, 2.48, 2.26),
    "Delay[16, 256]": (1.50, 1.25, 1.11, 1.00),
    "Delay[16, 65k]": (1.23, 1.11, 1.01, 0.93),
}
"""Bits/byte of M2s of `SIZES` [Tables 15, 16, 17]."""

BITS_PER_BYTE_403M = {
    "EqualInfoAC[24, 256]": 1.394,
    "EqualInfoAC[24, 65k]": 1.249,
    "M1 reset every other window[16, 256]": 1.748,
    "M1 reset every other window[16, 65k]": 1.697,
    "M1 never reset[16, 256]": 1.501,
    "M1 never reset[16, 65k]": 1.501,
}
"""Where there is a 403m only [Tables 9, 10]."""

MFLOPS_PER_BYTE = {
    "Bytes": (50.00, 226.00, 806.00, 4000.00),
    "SentencePiece": (11.69, 52.82, 188.37, 934.84),
    "AC[256]": (15.11, 47.17, 152.81, 734.60),
    "AC[65k]": (10.55, 26.58, 79.41, 370.30),
    "StaticAC[256]": (28.90, 130.64, 465.90, 2310.00),
    "StaticAC[65k]": (14.45, 65.32, 232.95, 1160.00),
    "EqualInfoAC[16, 256]": (24.80, 90.96, 309.01, 1510.00),
    "EqualInfoAC[16, 65k]": (15.42, 48.56, 157.79, 759.30),
    "EqualInfoAC[32, 256]": (20.33, 70.76, 236.95, 1150.00),
    "EqualInfoAC[32, 65k]": (13.17, 38.42, 121.64, 579.89),
    "EqualInfoAC[64, 256]": (18.02, 60.33, 199.75, 967.54),
    "EqualInfoAC[64, 65k]": (12.00, 33.13, 102.76, 486.19),
    "EqualInfoAC[128, 256]": (16.85, 55.02, 180.84, 873.68),
    "EqualInfoAC[128, 65k]": (11.42, 30.51, 93.42, 439.84),
    "GZip[256]": (22.42, 101.35, 361.43, 1790.00),
    "GZip[65k]": (11.19, 50.56, 180.31, 894.85),
    "Delay[16, 256]": (28.73, 108.73, 372.36, 1820.00),
    "Delay[16, 65k]": (17.36, 57.36, 190.18, 915.09),
}
"""Million FLOPs/byte of inference, M1 included, for M2s of `SIZES` [Tables 15, 16, 17]."""

SEEDS_25M = {
    "Bytes": (1.2899, 0.0020),
    "SentencePiece": (1.1171, 0.0006),
    "EqualInfoAC[16, 256]": (1.4724, 0.0044),
    "EqualInfoAC[32, 256]": (2.0457, 0.0058),
    "EqualInfoAC[64, 256]": (1.8494, 0.0052),
    "EqualInfoAC[128, 256]": (1.7121, 0.0003),
    "GZip[256]": (2.3374, 0.0061),
}
"""Bits/byte of 25m, mean and standard deviation over five seeds [Table 11]."""

BYTE_MATCHED_25M = {
    "EqualInfoAC[16, 256]": 1.472,
    "EqualInfoAC[16, 65k], byte-matched": 1.287,
    "EqualInfoAC[16, 65k], token-matched": 1.251,
}
"""[Table 6]"""

PAIRS_113M = {
    ("AC[256]", "decompress"): (76.98, 76.86),
    ("EqualInfoAC[16, 256]", "decompress"): (95.30, 76.83),
    ("AC[256]", "compress"): (1.7, None),
}
"""Accuracy in % on the targets, and that of a byte LM on the same targets [Table 5]."""

PARAMETERS = {"3m": 3.0e6, "25m": 25e6, "113m": 113e6, "403m": 403e6, "2b": 2e9}
"""As the paper names them [Table 4]."""
