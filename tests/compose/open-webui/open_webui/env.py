import os
import pathlib

OPEN_WEBUI_DIR = pathlib.Path(__file__).parent
DATABASE_URL = os.environ["DATABASE_URL"]
ENABLE_DB_MIGRATIONS = os.environ.get("ENABLE_DB_MIGRATIONS", "true").lower() == "true"
