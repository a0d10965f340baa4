import pathlib
import tempfile
import unittest

from connector import Connector
from plugin import Failed
from protocol import pb, records


class ConnectorTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.connector = Connector({"folder": folder.name})

    def read(self, cursor=None):
        return list(self.connector.open_source(pb.ReadOpen(stream="in"), cursor))

    def test_reading_goes_on_behind_a_cursor(self):
        (self.folder / "in.ndjson").write_text('{"n":1}\n\n{"n":2}\n{"n":3}\n{"n"')
        rows = self.read()
        self.assertEqual([text for text, _, _ in rows], [b'{"n":1}', b'{"n":2}', b'{"n":3}'])
        self.assertEqual(self.read(cursor=rows[0][2]), rows[1:])

    def test_what_is_no_object_is_refused_alone(self):
        destination = self.connector.open_destination(pb.WriteOpen(stream="in"))
        self.addCleanup(destination.close)
        self.assertEqual(list(destination.write([b'{"n":1}', b"7", b'{"n":2}'])), [1])
        self.assertEqual([text for text, _, _ in self.read()], [b'{"n":1}', b'{"n":2}'])

    def test_the_setting_at_fault_is_named(self):
        with self.assertRaises(Failed) as raised:
            Connector({"folder": "/nowhere"}).check()
        self.assertEqual(raised.exception.failure.path, "config.folder")
        with self.assertRaises(Failed) as raised:
            self.read()
        self.assertEqual(raised.exception.failure.code, records.CODE_NOT_FOUND)


if __name__ == "__main__":
    unittest.main()
