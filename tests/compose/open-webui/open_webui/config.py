"""As Open WebUI's: importing it upgrades the schema, and only logs when that fails."""

import logging

from open_webui.env import ENABLE_DB_MIGRATIONS, OPEN_WEBUI_DIR

if ENABLE_DB_MIGRATIONS:
    try:
        from alembic import command
        from alembic.config import Config

        config = Config(OPEN_WEBUI_DIR / "alembic.ini")
        config.set_main_option("script_location", str(OPEN_WEBUI_DIR / "migrations"))
        command.upgrade(config, "head")
    except Exception:
        logging.exception("the schema could not be upgraded")
