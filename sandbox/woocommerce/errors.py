"""WordPress's error envelope."""

from starlette.responses import JSONResponse, Response


class ApiError(Exception):
    """Answered as ``{code, message, data: {status, ...}}``."""

    def __init__(self, status: int, code: str, message: str, **data: object) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)

    def body(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, "data": {"status": self.status, **self.data}}

    def response(self) -> Response:
        return JSONResponse(self.body(), status_code=self.status)


def invalid_id(resource: str, status: int = 404) -> ApiError:
    return ApiError(status, f"woocommerce_rest_{resource}_invalid_id", "Invalid ID.")


def invalid_param(name: str, reason: str, code: str, data: object = None) -> ApiError:
    """A parameter that WordPress's schema refuses; ``reason`` begins with the parameter's name."""
    return ApiError(
        400,
        "rest_invalid_param",
        f"Invalid parameter(s): {name}",
        params={name: reason},
        details={name: {"code": code, "message": reason, "data": data}},
    )
