import pathlib
import resource
import tempfile
import unittest

from connector import Connector
from plugin import Failed, answer, left
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

    def test_a_full_disk_is_no_records_fault_and_leaves_nothing_of_the_batch(self):
        destination = self.connector.open_destination(pb.WriteOpen(stream="in"))
        self.addCleanup(destination.close)
        destination.write([b'{"n":1}'])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (12, limits[1]))
        try:
            with self.assertRaises(Failed) as raised:
                destination.write([b'{"n":2}', b'{"n":3}'])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEqual(raised.exception.failure.fault, records.FAULT_DESTINATION)
        self.assertEqual(destination.write([b'{"n":2}']), {})
        self.assertEqual([text for text, _, _ in self.read()], [b'{"n":1}', b'{"n":2}'])

    def test_what_a_write_left_is_the_far_sides_fault(self):
        class Goes:
            def write(self, texts):
                return {1: left()}

        batch = pb.WriteBatch(id=7, records=records.Records(data=b"1\n2", count=2))
        result = answer(Goes(), pb.WriteRequest(batch=batch))
        self.assertEqual([(each.index, each.failure.fault) for each in result.failed], [(1, records.FAULT_DESTINATION)])

    def test_the_setting_at_fault_is_named(self):
        with self.assertRaises(Failed) as raised:
            Connector({"folder": "/nowhere"}).check()
        self.assertEqual(raised.exception.failure.path, "config.folder")
        with self.assertRaises(Failed) as raised:
            self.read()
        self.assertEqual(raised.exception.failure.code, records.CODE_NOT_FOUND)


if __name__ == "__main__":
    unittest.main()
