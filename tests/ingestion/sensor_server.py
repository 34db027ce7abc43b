"""A real SensorThings service (django-ogc-sensorthings, over SQLite) for tests; run as a program, it is the service."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 8, 1, tzinfo=UTC)
LARGEST_PAGE = 100
"""What the service gives at once, and refuses to be asked beyond."""


class SensorServer:
    """Datastreams ``雨量-0`` and ``雨量-1`` of one thing; observation n is n minutes after `START`, n / 10 mm."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sta-"))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/sta/v1.1"
        self.log = (self.home / "log").open("wb")
        command = [sys.executable, "-m", __spec__.name if __spec__ else __name__, str(self.home), str(port)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self._wait()
        unit = {"name": "mm", "symbol": "mm", "definition": "http://example.org/mm"}
        about = {"description": "测试", "encodingType": "text/html", "metadata": "无"}
        thing = self._made("Things", {"name": "广安门站", "description": "测试"})
        sensor = self._made("Sensors", {"name": "翻斗雨量计", **about})
        rain = self._made(
            "ObservedProperties", {"name": "雨量", "description": "测试", "definition": "http://example.org/rain"}
        )
        place = {"type": "Point", "coordinates": [116.36, 39.91]}
        self.place = self._made(
            "FeaturesOfInterest",
            {"name": "站点", "description": "测试", "encodingType": "application/geo+json", "feature": place},
        )
        self.streams = [
            self._made(
                "Datastreams",
                {
                    "name": f"雨量-{n}", "description": "测试", "unitOfMeasurement": unit,
                    "observationType": "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
                    "Thing": {"@iot.id": thing}, "Sensor": {"@iot.id": sensor}, "ObservedProperty": {"@iot.id": rain},
                },
            )
            for n in range(2)
        ]  # fmt: skip

    def observe(self, numbers: range) -> None:
        """Add observations, by turns to the two datastreams."""
        for turn, stream in enumerate(self.streams):
            rows = []
            for n in (n for n in numbers if n % 2 == turn):
                at = (START + timedelta(minutes=n)).isoformat()
                rows.append([at, at, n / 10, self.place])
            names = ["phenomenonTime", "resultTime", "result", "FeatureOfInterest/id"]
            told = {"Datastream": {"@iot.id": stream}, "components": names, "dataArray": rows}
            self._post("CreateObservations", [told | {"dataArray@iot.count": len(rows)}])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def _wait(self) -> None:
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url + "/", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.1)
        raise RuntimeError((self.home / "log").read_text())

    def _made(self, entities: str, told: dict[str, Any]) -> str:
        answer = self._post(entities, told)
        found = re.search(r"\('(.+)'\)$", answer.headers["Location"])
        assert found
        return found.group(1)

    def _post(self, path: str, told: Any) -> Any:
        body = json.dumps(told).encode()
        asked = urllib.request.Request(f"{self.url}/{path}", body, {"content-type": "application/json"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert answer.status == 201, answer.read()
            return answer


def serve(folder: Path, port: int) -> None:
    from uuid import UUID

    from django.conf import settings

    version = "sensorthings.versions.v1_1"
    settings.configure(
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        USE_TZ=True,
        INSTALLED_APPS=[version, f"{version}.backends.django", f"{version}.extensions.dataarray"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "sta.db")}},
        SENSORTHINGS_V1_1_SERVICE_URL=f"http://127.0.0.1:{port}/sta",
        SENSORTHINGS_V1_1_BACKEND_ADAPTER=f"{version}.backends.django.adapter.DjangoBackendAdapter",
        SENSORTHINGS_V1_1_ID_TYPE=UUID,
        SENSORTHINGS_V1_1_ID_DELIMITER="'",
    )
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from wsgiref.simple_server import make_server

    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path

    globals()["urlpatterns"] = [path("sta/", include(f"{version}.urls"))]
    make_server("127.0.0.1", port, get_wsgi_application()).serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
