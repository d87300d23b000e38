"""The web application: webhook receivers, what outside systems tell, liveness, readiness and metrics."""

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from config.wiring import App
from edge import mirror, webhooks


def create(app: App) -> FastAPI:
    """All doors that open by HTTP."""
    web = FastAPI(title="Holdfast", docs_url=None, redoc_url=None, openapi_url=None)
    web.include_router(webhooks.router(app))
    web.include_router(mirror.router(app))

    @web.get("/live")
    def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "alive"}

    @web.get("/ready")
    def ready(response: Response) -> dict[str, str]:
        """The process can take in webhooks: its database answers."""
        try:
            with app.db.outside() as connection:
                connection.execute(text("SELECT 1"))
        except DBAPIError:
            response.status_code = 503
            return {"status": "the database does not answer"}
        return {"status": "ready"}

    @web.get("/metrics")
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return web
