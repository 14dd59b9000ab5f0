"""Models in this process, through transformers: `hf:ORG/NAME`, `hf:ORG/NAME@REVISION` or `hf:FOLDER`."""

from __future__ import annotations

from seedbed.models.hf_batch import Transformer
from seedbed.models.hf_checkpoint import Checkpoint, Source, locate
from seedbed.models.in_process import InProcess, need
from seedbed.models.wire import Endpoint


def open_hf(address: str, settings: Endpoint) -> InProcess:
    """The wire to a model in this process; nothing is loaded before the first request.

    Args:
        address: See `locate`; the wire's own address names a folder's content.
        settings: `concurrency` is the most rows in a batch, `device` where it runs (float32 on a CPU, bfloat16 on a
            GPU) and `parameters_billion` what FLOPs are counted with.

    Raises:
        ConfigError: The extra is missing, or no checkpoint can be at this address.
    """
    need("seedbed[torch]", "torch", "transformers")
    source = locate(address)
    return InProcess(source.address, lambda: _load(source, settings))


def _load(source: Source, settings: Endpoint) -> Transformer:
    return Transformer(Checkpoint(source, settings.device, settings.parameters_billion), settings.concurrency)
