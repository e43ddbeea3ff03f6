"""Parquet: one document a row."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, BinaryIO

from equalinfo.data.formats import nature
from equalinfo.data.formats.lines import utf8_fault
from equalinfo.data.inputs import DamagedInputError, InputError, InputFile, Reject

SUFFIXES = (".parquet",)
MAGIC = b"PAR1"

_ROWS = 64  # read together
_BUFFER_BYTES = 1 << 20


def read(file: InputFile, raw: BinaryIO) -> Iterator[bytes | Reject]:
    """See `equalinfo.data.formats.Format`."""
    row = 0
    for texts in column(file, raw, file.field):
        for text in texts:
            row += 1
            if text is None:
                yield Reject(f"{file.name}:row {row}", "no text (null)")
            elif fault := utf8_fault(text):  # pyarrow does not check it
                yield Reject(f"{file.name}:row {row}", fault)
            else:
                yield text


def column(file: InputFile, raw: BinaryIO, name: str) -> Iterator[list[bytes | None]]:
    """A column of text or bytes of any Arrow type, some rows at a time.

    Args:
      file: the Parquet file.
      raw: opened.
      name: of the column; `a.b` for a field of a struct.

    Raises:
      InputError: there is no such column, or it holds neither text nor bytes.
      DamagedInputError: the file breaks off; the rows before have been given.
    """
    try:
        import pyarrow as pa
        from pyarrow import compute, parquet
    except ImportError as error:
        raise InputError(
            f"{file.path} is Parquet, which needs pyarrow ({error}): pip install pyarrow."
        ) from error

    nature.check(raw.read(nature.HEAD_BYTES), file)
    raw.seek(0)
    row = 0
    try:
        with parquet.ParquetFile(
            raw,
            page_checksum_verification=True,
            # Else it holds whole row groups.
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
        ) as table:
            parts = _parts(file, table.schema_arrow, name)
            metadata = table.metadata
            rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            if sum(rows) != metadata.num_rows:
                raise DamagedInputError(
                    f"its row groups have {sum(rows)} rows, and it {metadata.num_rows}"
                )
            # One row group at a time: a damaged one must not take those before it along.
            for group, end in enumerate(accumulate(rows)):
                for batch in table.iter_batches(_ROWS, [group], columns=[name], use_threads=False):
                    found = batch.column(parts[0])  # columns "a" and "a.b" are both read
                    for part in parts[1:]:
                        found = compute.struct_field(found, part)
                    if pa.types.is_dictionary(found.type):
                        found = found.dictionary_decode()
                    yield found.cast(_bytes_like(found.type)).to_pylist()
                    row += len(batch)
                # A page is passed over where a damaged header makes it of no known kind.
                if row != end:
                    raise DamagedInputError(f"row group {group} ends after row {row}, not {end}")
    # UnicodeDecodeError: a column's name.
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        # pyarrow's own are plain OSErrors without a number; others are faults of disk or network.
        if isinstance(error, OSError) and (error.errno or type(error) is not OSError):
            raise
        raise DamagedInputError(f"{type(error).__name__}: {error} (after row {row})") from error


def _parts(file: InputFile, schema: Any, name: str) -> list[str]:
    """The names on the way to a column that holds text or bytes.

    Raises:
      InputError: there is no such column, or of another type; names those there are.
    """
    import pyarrow as pa

    columns = dict(_leaves(schema, ""))
    known = ", ".join(f"{path} ({kind})" for path, kind in list(columns.items())[:20])
    if name not in columns:
        raise InputError(
            f"{file.path} has no column {name!r}, only {known}. Name one with --text_field."
        )
    kind = columns[name]
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not (_is_text(kind) or pa.types.is_null(kind)):
        raise InputError(
            f"{file.path}: column {name!r} is {kind}, expected text. There are {known}. Name one "
            "with --text_field."
        )
    return [name] if name in schema.names else name.split(".")


def _leaves(fields: Any, above: str) -> Iterator[tuple[str, Any]]:
    """(path, type) of columns, and of the fields of structs."""
    import pyarrow as pa

    for field in fields:
        yield above + field.name, field.type
        if pa.types.is_struct(field.type):
            inside = [field.type.field(index) for index in range(field.type.num_fields)]
            yield from _leaves(inside, f"{above}{field.name}.")


def _is_text(kind: Any) -> bool:
    names = ("string", "binary", "large_string", "large_binary", "string_view", "binary_view")
    return str(kind) in names


def _bytes_like(kind: Any) -> Any:
    import pyarrow as pa

    return pa.large_binary() if str(kind).startswith("large") else pa.binary()
