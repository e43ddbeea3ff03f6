"""Token ids: id = code + 3, after pad, eos and unk, as SeqIO and T5X expect."""

PAD_ID, EOS_ID, UNK_ID = 0, 1, 2
ID_OFFSET = 3
