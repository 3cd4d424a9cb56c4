import os
import socket
import struct
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lanner_bridge.frames import FrameError, FrameParser, encode_head, receive_frame, send_frame
from lanner_bridge.log_lines import MAX_LINE_BYTES, LineCutter, encode_log_frames


class Frames(unittest.TestCase):
    def setUp(self):
        self.ours, self.theirs = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.theirs.close)

    def test_a_frame_with_a_large_payload_arrives_as_it_was_sent(self):
        payload = os.urandom(3 << 20)
        sender = threading.Thread(target=send_frame, args=(self.ours, {"type": "start", "name": "ü"}, payload))
        sender.start()
        header, received = receive_frame(self.theirs)
        sender.join()
        self.assertEqual(header, {"type": "start", "name": "ü"})
        self.assertEqual(received, payload)

    def test_the_end_of_a_connection_between_frames_is_none_and_inside_one_an_error(self):
        self.ours.sendall(encode_head({"type": "a"})[:-1])
        self.ours.close()
        with self.assertRaises(FrameError):
            receive_frame(self.theirs)
        ours, theirs = socket.socketpair()
        ours.close()
        with theirs:
            self.assertIsNone(receive_frame(theirs))

    def test_a_header_over_the_limit_is_refused_on_both_sides(self):
        with self.assertRaises(FrameError):
            encode_head({"type": "x" * (1 << 20)})
        self.ours.sendall(struct.pack(">II", (1 << 20) + 1, 0))
        with self.assertRaises(FrameError):
            receive_frame(self.theirs)

    def test_what_is_no_json_object_with_a_type_is_refused(self):
        for raw in (b"[]", b"{}", b"\xff", b'{"type":1}'):
            self.ours.sendall(struct.pack(">II", len(raw), 0) + raw)
            with self.assertRaises(FrameError):
                receive_frame(self.theirs)

    def test_the_parser_finds_frames_in_any_pieces_and_skips_payloads(self):
        stream = encode_head({"type": "a"}, 5) + b"12345" + encode_head({"type": "b"})
        for size in (1, 3, len(stream)):
            parser, found = FrameParser(), []
            for start in range(0, len(stream), size):
                found += [header["type"] for header in parser.feed(stream[start : start + size])]
            self.assertEqual(found, ["a", "b"])

    def test_lone_surrogates_do_not_break_a_header(self):
        self.ours.sendall(encode_head({"type": "log", "line": "\ud800"}))
        self.assertEqual(receive_frame(self.theirs)[0]["line"], "?")


class Lines(unittest.TestCase):
    def cut(self, *chunks):
        cutter = LineCutter()
        lines = [line for chunk in chunks for line in cutter.feed(chunk)]
        return lines + cutter.end()

    def test_lines_end_at_lf_crlf_and_cr_wherever_the_chunks_end(self):
        text = b"one\ntwo\r\n\nthree\rfour\r\nrest"
        expected = [b"one", b"two", b"", b"three", b"four", b"rest"]
        self.assertEqual(self.cut(text), expected)
        self.assertEqual(self.cut(*(text[index : index + 1] for index in range(len(text)))), expected)

    def test_a_line_over_64_kib_comes_in_pieces_cut_between_characters(self):
        text = ("é" * 50_000).encode()
        pieces = self.cut(b"x" + text + b"\n")
        self.assertTrue(all(len(piece) <= MAX_LINE_BYTES for piece in pieces))
        self.assertEqual("".join(piece.decode() for piece in pieces), "x" + "é" * 50_000)

    def test_an_endless_line_does_not_grow_in_memory(self):
        cutter = LineCutter()
        for _ in range(100):
            cutter.feed(b"x" * 10_000)
        self.assertLessEqual(len(cutter._rest), MAX_LINE_BYTES)

    def test_bytes_that_are_no_utf8_are_shown_escaped(self):
        parser = FrameParser()
        (header,) = parser.feed(encode_log_frames("stdout", [b'\xff"q"'], b"\0mark\0"))
        self.assertEqual(header["line"], '\\xff"q"')
        self.assertEqual((header["stream"], header["level"], header["source"]), ("stdout", "stdout", "user"))


if __name__ == "__main__":
    unittest.main()
