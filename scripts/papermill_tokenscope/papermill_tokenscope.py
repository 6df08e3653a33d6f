"""Writes papermill's parameters as Rhai, the language of tokenscope's notebooks."""

import json
import math

from papermill.engines import NBClientEngine
from papermill.translators import Translator, papermill_translators


class RhaiTranslator(Translator):
    @classmethod
    def translate(cls, val):
        if isinstance(val, (tuple, set)):
            val = list(val)
        if isinstance(val, list):
            return cls.translate_list(val)
        return super().translate(val)

    @classmethod
    def translate_none(cls, val):
        return "()"

    @classmethod
    def translate_str(cls, val):
        # Rhai's escapes are those of JSON, but for four digits: it wants two, four or eight, each behind its own letter.
        return json.dumps(str(val), ensure_ascii=False).replace("\\b", "\\x08").replace("\\f", "\\x0c")

    @classmethod
    def translate_int(cls, val):
        if not -(2**63) < val < 2**63:
            raise ValueError(f"{val} does not fit into 64 bits")
        return str(val)

    @classmethod
    def translate_float(cls, val):
        if not math.isfinite(val):
            raise ValueError(f"{val} is no number that a script can write")
        return repr(float(val))

    @classmethod
    def translate_list(cls, val):
        return "[" + ", ".join(cls.translate(item) for item in val) + "]"

    @classmethod
    def translate_dict(cls, val):
        pairs = (f"{cls.translate_str(key)}: {cls.translate(item)}" for key, item in val.items())
        return "#{ " + ", ".join(pairs) + " }"

    @classmethod
    def comment(cls, cmt_str):
        return "\n".join(f"// {line}".rstrip() for line in str(cmt_str).splitlines())

    @classmethod
    def assign(cls, name, str_val):
        return f"let {name} = {str_val};"


class Engine(NBClientEngine):
    """papermill's usual engine."""


papermill_translators.register("rhai", RhaiTranslator)
