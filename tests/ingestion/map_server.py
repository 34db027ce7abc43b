"""A real MapServer (from Debian) as a Web Feature Service for tests, behind a small HTTP server that speaks CGI to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.ingestion.debian import Program, program

MAP = """
MAP
  NAME "xicheng"
  EXTENT 116.3 39.8 116.5 40.0
  SIZE 100 100
  PROJECTION
    "init=epsg:4326"
  END
  WEB
    METADATA
      "ows_enable_request" "*"
      "ows_onlineresource" "URL"
      "wfs_title" "xicheng"
      "wfs_srs" "EPSG:4490 EPSG:4326"
      "wfs_getfeature_formatlist" "gml,geojson"
    END
  END
  OUTPUTFORMAT
    NAME "geojson"
    DRIVER "OGR/GEOJSON"
    MIMETYPE "application/json; subtype=geojson"
    FORMATOPTION "STORAGE=memory"
    FORMATOPTION "FORM=SIMPLE"
  END
  LAYER
    NAME "points"
    TYPE POINT
    STATUS ON
    CONNECTIONTYPE OGR
    CONNECTION "FILE"
    PROJECTION
      "init=epsg:4326"
    END
    METADATA
      "wfs_title" "points"
      "gml_include_items" "all"
      "gml_featureid" "id"
      "wfs_enable_request" "*"
    END
    TEMPLATE "dummy"
  END
END
"""


class MapServer:
    """One feature type ``points`` (id, mm; a point each)."""

    def __init__(self) -> None:
        found = program("mapserv", "cgi-mapserver")
        assert isinstance(found, Program), found
        self.home = Path(tempfile.mkdtemp(prefix="wfs-"))
        self.asked: list[str] = []
        config = self.home / "mapserver.conf"
        config.write_text(f'CONFIG\n  ENV\n    MS_MAP_PATTERN "^{self.home}"\n  END\n  MAPS\n  END\nEND\n')
        server, env = self, {**os.environ, **found.env, "MAPSERVER_CONFIG_FILE": str(config)}
        if found.root:
            env |= {"PROJ_LIB": str(found.root / "usr/share/proj"), "GDAL_DATA": str(found.root / "usr/share/gdal")}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = self.path.partition("?")[2]
                server.asked.append(query)
                done = subprocess.run(
                    [str(found.path)], capture_output=True, timeout=60,
                    env={**env, "REQUEST_METHOD": "GET", "QUERY_STRING": query, "MS_MAPFILE": str(server.home / "m.map")},
                )  # fmt: skip
                head, _, body = done.stdout.partition(b"\r\n\r\n")
                self.send_response(200)
                kind = head.partition(b":")[2].strip().decode()
                self.send_header("content-type", kind or "text/plain")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/wfs"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here."""
        found = program("mapserv", "cgi-mapserver")
        return found if isinstance(found, str) else None

    def serve(self, count: int, **more: Any) -> None:
        """Serve so many points east of 116.36, 39.91."""
        features = [
            {
                "type": "Feature",
                "properties": {"id": f"P{n:03d}", "mm": n / 10, **more},
                "geometry": {"type": "Point", "coordinates": [116.36 + n / 10_000, 39.91]},
            }
            for n in range(count)
        ]
        file = self.home / "points.geojson"
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
        text = MAP.replace("URL", self.url).replace("FILE", str(file))
        (self.home / "m.map").write_text(text, encoding="utf-8")

    def close(self) -> None:
        self.http.shutdown()
        shutil.rmtree(self.home, ignore_errors=True)
