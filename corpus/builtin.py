"""The document that comes with the product: 14 Guangdong business-environment cases."""

from importlib.resources import files

BUILTIN_NAME = "广东省优化营商环境典型案例.txt"


def builtin_document() -> tuple[str, bytes]:
    """`(name, bytes)` of the built-in cases, exactly as published."""
    return BUILTIN_NAME, (files("corpus") / "cases" / "guangdong-cases.txt").read_bytes()
