# mypy: ignore-errors
# gi has no types, and exists for the system's Python alone
"""An RTSP server of GStreamer's, for the tests; run by the system's Python, which has gi.

    /usr/bin/python3 rtsp_server.py PORT FILE.mp4 [MOUNTS [LOG]]

Serves the H.264 picture of a film over and over, without encoding it again, at /0, /1, … of
127.0.0.1:PORT (0: any free port), live: every client sees the same. Prints the port once it
listens. Into LOG goes a line for each keyframe that is sent: mount, wall time, seconds of the film.
"""

import sys
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # after the versions


class Loop:
    """The packets of a film, pushed again and again with rising times."""

    def __init__(self, film):
        self.packets, self.caps, self.length = read(film)

    def feed(self, media, number, log):
        if log is not None:
            pad = media.get_element().get_by_name("pace").get_static_pad("src")
            pad.add_probe(Gst.PadProbeType.BUFFER, self._note, number, log)
        source = media.get_element().get_by_name("film")
        source.set_property("caps", self.caps)
        state = {"place": 0, "round": 0}

        def need(_source, _length):
            data, pts, duration, key = self.packets[state["place"]]
            buffer = Gst.Buffer.new_wrapped(data)
            buffer.pts = pts + state["round"] * self.length
            buffer.dts = buffer.pts
            buffer.duration = duration
            if not key:
                buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
            source.emit("push-buffer", buffer)
            state["place"] += 1
            if state["place"] == len(self.packets):
                state["place"], state["round"] = 0, state["round"] + 1

        source.connect("need-data", need)

    def _note(self, _pad, info, number, log):
        buffer = info.get_buffer()
        if not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT):
            at = buffer.pts % self.length / Gst.SECOND
            print(number, f"{time.time():.4f} {at:.3f}", file=log, flush=True)
        return Gst.PadProbeReturn.OK


def read(film):
    """(bytes, pts, duration, is a keyframe) of each packet; caps; length in nanoseconds."""
    line = Gst.parse_launch(
        f'filesrc location="{film}" ! qtdemux ! h264parse config-interval=-1 '
        "! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
    )
    sink = line.get_by_name("out")
    line.set_state(Gst.State.PLAYING)
    packets, caps = [], None
    while (sample := sink.emit("try-pull-sample", 5 * Gst.SECOND)) is not None:
        caps = sample.get_caps()
        buffer = sample.get_buffer()
        key = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
        data = buffer.extract_dup(0, buffer.get_size())
        packets.append((data, buffer.pts, buffer.duration, key))
    line.set_state(Gst.State.NULL)
    first = packets[0][1]
    packets = [(data, pts - first, duration, key) for data, pts, duration, key in packets]
    return packets, caps, packets[-1][1] + packets[-1][2]


def main():
    Gst.init(None)
    port, film = sys.argv[1], sys.argv[2]
    mounts = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    log = Path(sys.argv[4]).open("a") if len(sys.argv) > 4 else None  # noqa: SIM115 # open to the end
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    loop = Loop(film)
    for number in range(mounts):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            "( appsrc name=film is-live=false format=time block=true max-bytes=200000 "
            "! identity name=pace sync=true ! video/x-h264,stream-format=byte-stream,alignment=au "
            "! rtph264pay name=pay0 )"
        )
        factory.set_shared(True)
        factory.connect(
            "media-configure", lambda _factory, media, n=number: loop.feed(media, n, log)
        )
        server.get_mount_points().add_factory(f"/{number}", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
