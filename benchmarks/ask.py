"""Ask a model once, as CodeAct would: same name, same endpoint, same embedded server, which ends with this process.

usage: python benchmarks/ask.py MODEL < {"prompt": ..., "samples": ..., "temperature": ..., "max_tokens": ...}

Prints {"answers": [...], "prompt_tokens": ..., "completion_tokens": ..., "seconds": ...}, or {"trouble": ...}.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from codeact.errors import CodeActError
from codeact.models import open_model
from codeact.settings import load_settings
from codeact.trajectory import Message, Sampling


async def ask(name: str, prompt: str, sampling: Sampling) -> dict[str, Any]:
    """The answers to one prompt, and what they cost."""
    settings = load_settings(Path.cwd(), {"model": {"name": name}})
    try:
        async with open_model(settings) as model:
            completion = await model.sample([Message("user", prompt)], sampling)
    except CodeActError as error:
        return {"trouble": str(error)}
    usage = completion.usage
    return {
        "answers": [answer.text for answer in completion.answers],
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "seconds": usage.seconds,
    }


if __name__ == "__main__":
    request = json.load(sys.stdin)
    prompt = request.pop("prompt")
    print(json.dumps(asyncio.run(ask(sys.argv[1], prompt, Sampling(**request)))))
