"""This connector reads and writes files of JSON lines in a folder. Put your own far side in its place."""

import json
import os
import pathlib

from plugin import Failed, misconfigured, serve
from protocol import pb, records

ENDING = ".ndjson"
CONFIG_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["folder"],
    "properties": {"folder": {"type": "string", "minLength": 1, "description": "The folder; must exist."}},
}


class Connector:
    """A configured connector; see plugin.py for what is asked of it."""

    @staticmethod
    def spec():
        return pb.SpecResponse(
            protocol_version=1,
            type="my-connector",
            version="1.0.0",
            title="My connector",
            description="Files of JSON lines in a folder.",
            config_schema=json.dumps(CONFIG_SCHEMA),
            source=pb.SourceCapabilities(modes=[pb.SOURCE_MODE_FULL]),
            destination=pb.DestinationCapabilities(modes=[pb.DESTINATION_MODE_APPEND]),
        )

    def __init__(self, config):
        self.folder = pathlib.Path(config["folder"])

    def check(self):
        if not self.folder.is_dir():
            raise misconfigured(records.CODE_VALIDATION_ERROR, "config.folder", f"{self.folder} is no folder")

    def discover(self):
        self.check()
        names = sorted(file.name.removesuffix(ENDING) for file in self.folder.glob("*" + ENDING))
        return [pb.StreamInfo(name=name, schema='{"type":"object"}') for name in names]

    def _file(self, stream):
        return self.folder / (os.path.basename(stream) + ENDING)

    def open_source(self, options, cursor):
        """Gives (JSON text, ordinal, cursor) for each record behind the cursor."""
        try:
            file = open(self._file(options.stream), "rb")
        except OSError as error:
            raise misconfigured(
                records.CODE_NOT_FOUND, "source.stream", f"there is no stream {options.stream}"
            ) from error
        return self._lines(file, cursor or {"line": 0, "byte": 0})

    @staticmethod
    def _lines(file, place):
        with file:
            line, byte = place["line"], place["byte"]
            file.seek(byte)
            for text in file:
                # A line without its end is still being written.
                if not text.endswith(b"\n"):
                    return
                line, byte = line + 1, byte + len(text)
                if text.strip():
                    yield text.strip(), line, {"line": line, "byte": byte}

    def open_destination(self, options):
        try:
            return Appender(open(self._file(options.stream), "ab", buffering=0))
        except OSError as error:
            raise misconfigured(records.CODE_VALIDATION_ERROR, "config.folder", str(error)) from error


class Appender:
    def __init__(self, file):
        self.file = file

    def write(self, texts):
        """Writes records durably; gives those that were refused, by index. What is raised: none is known to be written.

        A far side that takes one record after another, and goes away in between: `left()` for those that it did not take.
        """
        refused = {}
        good = []
        for index, text in enumerate(texts):
            if text.startswith(b"{"):
                good.append(text + b"\n")
            else:
                refused[index] = Failed(records.CODE_VALIDATION_ERROR, "a record is an object")
        size = os.fstat(self.file.fileno()).st_size
        try:
            rest = b"".join(good)
            while rest:
                rest = rest[self.file.write(rest) :]
            os.fsync(self.file.fileno())
        except OSError as error:
            # A full disk is no record's fault: nothing of the batch stays, and all of it waits.
            self.file.truncate(size)
            raise misconfigured(records.CODE_UNAVAILABLE, "config.folder", str(error)) from error
        return refused

    def complete(self):
        """The run's last batch is confirmed. May come again."""

    def close(self):
        self.file.close()


if __name__ == "__main__":
    serve(Connector)
