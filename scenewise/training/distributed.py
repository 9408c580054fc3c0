"""Several processes that learn as one: started by torchrun, wrapped by DDP or FSDP2, ended cleanly.

Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", 2020
(https://arxiv.org/abs/2006.15704): every process has the whole network, gradients are averaged.
Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel", 2023
(https://arxiv.org/abs/2304.11277): every process keeps a part of each parameter, and layers are
made whole when they are run. It knows learners and processes; it knows no loss and no optimizer.
Optimizers are made after ``wrap``: sharding replaces the parameters.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    set_model_state_dict,
)
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError, UsageError, first_line
from scenewise.models.video_text.expert_features import ExpertFeatures
from scenewise.training.learner import Learner
from scenewise.training.objective_settings import DistributedSettings
from scenewise.training.ranks import world_size

_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_START = "start it by torchrun --nproc-per-node N -m scenewise train config.toml"
_UNREAD = "Expected to have finished reduction"  # how DDP says that gradients are missing
_LOST = ("connection closed", "connection reset", "timed out", "timeout", "aborted", "broken pipe")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the processes this is. One alone is the first of one."""

    rank: int = 0  # among all
    local_rank: int = 0  # on this machine: the number of its GPU
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0


def place_of(environment: Mapping[str, str]) -> Place:
    """What torchrun says of this process; one alone where it says nothing.

    Raises UsageError where it says half of it, or what cannot be.
    """
    given = [name for name in _NAMES if name in environment]
    if not {"RANK", "WORLD_SIZE"} & set(given):
        return Place()
    missing = [name for name in _NAMES if name not in environment]
    if missing:
        raise UsageError(f"{given[0]} is set, but {', '.join(missing)} not: {_START}.")
    try:
        rank, world, local = (int(environment[name]) for name in _NAMES[:3])
    except ValueError as error:
        raise UsageError(f"RANK, WORLD_SIZE and LOCAL_RANK are whole numbers: {_START}.") from error
    if not 0 <= rank < world or local < 0:
        raise UsageError(f"RANK {rank} is none of {world} processes: {_START}.")
    return Place(rank, local, world)


@contextmanager
def processes(
    settings: DistributedSettings | None = None, *, device: str = "cpu"
) -> Iterator[Place]:
    """Join the processes that torchrun started, for as long as the block lasts.

    ``device`` is what the run computes on: cuda (each process its own GPU, messages by NCCL) or
    cpu (by gloo). Raises UsageError where the start was wrong, and TrainingError where another
    process ended or is silent: a process that fails closes its connections, and the others end
    soon after instead of waiting.
    """
    settings = settings or DistributedSettings()
    place = place_of(os.environ)
    if place == Place():
        yield place
        return
    cuda = device.startswith("cuda")
    if cuda and place.local_rank >= torch.cuda.device_count():
        raise UsageError(
            f"Process {place.local_rank} of this machine has no GPU: there are "
            f"{torch.cuda.device_count()}; give torchrun as many processes, or train.device = cpu."
        )
    if cuda:
        torch.cuda.set_device(place.local_rank)
    try:
        dist.init_process_group(
            "nccl" if cuda else "gloo",
            rank=place.rank,
            world_size=place.world_size,
            timeout=timedelta(seconds=settings.timeout_seconds),
            device_id=torch.device("cuda", place.local_rank) if cuda else None,
        )
    except (RuntimeError, ValueError) as error:  # torch's errors of the network are RuntimeErrors
        raise TrainingError(
            f"The {place.world_size} processes cannot meet: {first_line(error)}; {_START}."
        ) from error
    try:
        yield place
    except RuntimeError as error:
        meaning = meaning_of(error, place, settings)
        if meaning is None:
            raise
        raise meaning from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def meaning_of(
    error: RuntimeError, place: Place, settings: DistributedSettings
) -> TrainingError | None:
    """What torch's error says of the processes, in a sentence; None where it speaks of others."""
    said = str(error)
    if _UNREAD in said:
        return TrainingError(
            "The objective does not read every parameter of the network, and the processes wait "
            "for all gradients: set distributed.unused_parameters = true."
        )
    if isinstance(error, dist.DistError) or any(part in said.lower() for part in _LOST):
        return TrainingError(
            f"Process {place.rank} ends, as another one of {place.world_size} ended or was silent "
            f"for {settings.timeout_seconds:g} seconds; what that one said is the reason."
        )
    return None


def wrap(learner: Learner, settings: DistributedSettings | None = None) -> nn.Module:
    """The learner as it is trained: itself where there is one process, else by DDP or FSDP2.

    It lies where it is to be trained already. All processes begin with the weights of the first.
    Raises TrainingError for what the processes cannot do.
    """
    settings = settings or DistributedSettings()
    if world_size() == 1:
        return learner
    device = next(learner.parameters()).device
    if settings.sync_batchnorm:
        if device.type == "cpu":
            raise TrainingError(
                "distributed.sync_batchnorm needs GPUs: torch has it for no processor; leave it "
                "out, or take a network without batch norm."
            )
        learner = nn.SyncBatchNorm.convert_sync_batchnorm(learner)  # type: ignore[no-untyped-call]
    if settings.strategy == "fsdp":
        return _shard(learner, settings)
    return DistributedDataParallel(
        learner,
        device_ids=[device.index] if device.type == "cuda" else None,
        find_unused_parameters=settings.unused_parameters,
    )


def unwrap(wrapped: nn.Module) -> Learner:
    """The learner inside. Of a sharded one, parameters are whole only inside ``within``."""
    learner = wrapped.module if isinstance(wrapped, DistributedDataParallel) else wrapped
    if not isinstance(learner, Learner):
        raise TypeError(f"no learner: {type(learner).__name__}")
    return learner


@contextmanager
def gradient_sync(wrapped: nn.Module, on: bool) -> Iterator[None]:
    """Whether this backward pass sums gradients over processes: only the last one of a step need.

    For steps that add up the gradients of several batches.
    """
    if isinstance(wrapped, FSDPModule):
        wrapped.set_requires_gradient_sync(on)
    waiting = isinstance(wrapped, DistributedDataParallel) and not on
    with wrapped.no_sync() if waiting else nullcontext():  # type: ignore[operator]
        yield


def full_state(wrapped: nn.Module) -> dict[str, Tensor]:
    """The learner's whole state on the processor (``model.*``, ``objective.*``), by any wrapping.

    Every process calls it; sharded tensors are made whole one by one and kept by the first process
    alone, the others get an empty dict.
    """
    learner = unwrap(wrapped)
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state: dict[str, Any] = get_model_state_dict(learner, options=options)
    if dist.is_initialized() and dist.get_rank():
        return {}
    scalars = _scalars(learner)
    return {
        name: value.reshape(()) if name in scalars else value.clone()
        for name, value in state.items()
    }


def load_full_state(wrapped: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put a state of ``full_state`` back; with several processes the first one's counts."""
    learner = unwrap(wrapped)
    scalars = _scalars(learner)
    given: dict[str, Any] = {
        name: value.reshape(1) if name in scalars else value for name, value in state.items()
    }
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=world_size() > 1)
    set_model_state_dict(learner, given, options=options)


def clip_gradients(parameters: Iterator[nn.Parameter], most: float) -> float:
    """Cut the norm of all gradients together to ``most``; the norm ahead of it, over all shards."""
    given = list(parameters)
    norm = nn.utils.clip_grad_norm_(given, most)
    whole = norm.full_tensor() if isinstance(norm, DTensor) else norm
    return float(whole)


def _shard(learner: Learner, settings: DistributedSettings) -> Learner:
    """FSDP2: each large layer of a list by itself, the rest with the learner."""
    for tensor in (*learner.parameters(), *learner.buffers()):
        dist.broadcast(tensor.detach(), src=0)
    learner.__dict__["scalars"] = _lengthen_scalars(learner)
    policy = MixedPrecisionPolicy(
        param_dtype=_DTYPES[settings.param_dtype], reduce_dtype=_DTYPES[settings.reduce_dtype]
    )
    for layer in _layers(learner, settings.shard_above):
        fully_shard(layer, mp_policy=policy)
    # what is outside the layers stays whole between forward and backward
    fully_shard(learner, mp_policy=policy, reshard_after_forward=False)
    register_fsdp_forward_method(learner, "within")
    if settings.param_dtype != "float32":
        learner.register_forward_pre_hook(_Cast(_DTYPES[settings.param_dtype]))
    return learner


def _layers(learner: nn.Module, least: int) -> list[nn.Module]:
    """Elements of lists and sequences with ``least`` learned numbers or more, inner ones first."""
    found = [
        child
        for module in learner.modules()
        if isinstance(module, nn.ModuleList | nn.Sequential)
        for child in module.children()
        # a list has no forward of its own, so it cannot be made whole when it is run
        if not isinstance(child, nn.ModuleList | nn.ModuleDict)
        and sum(parameter.numel() for parameter in child.parameters()) >= max(1, least)
    ]
    return list(dict.fromkeys(reversed(found)))


def _lengthen_scalars(learner: nn.Module) -> frozenset[str]:
    """Numbers (), such as CLIP's scale, become (1,), since FSDP2 cannot share out a number ()."""
    names = [name for name, parameter in learner.named_parameters() if parameter.ndim == 0]
    for name in names:
        owner, _, last = name.rpartition(".")
        old = learner.get_parameter(name)
        fresh = nn.Parameter(old.detach().reshape(1), requires_grad=old.requires_grad)
        setattr(learner.get_submodule(owner), last, fresh)
    return frozenset(names)


def _scalars(learner: nn.Module) -> frozenset[str]:
    scalars: frozenset[str] = learner.__dict__.get("scalars", frozenset())
    return scalars


@dataclass(frozen=True, slots=True)
class _Cast:
    """What the network reads, in the kind of number that it computes with; targets stay."""

    dtype: torch.dtype

    def __call__(self, _module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        batch = arguments[0]
        if not isinstance(batch, Batch):  # ``within`` is given a function
            return arguments
        read: dict[str, Any] = {
            name: value.to(self.dtype)
            for name in ("clips", "features", "sound")
            if (value := getattr(batch, name)) is not None
        }
        if batch.experts is not None:
            read["experts"] = ExpertFeatures(
                {
                    name: replace(
                        stream,
                        features=stream.features.to(self.dtype),
                        pooled=None if stream.pooled is None else stream.pooled.to(self.dtype),
                    )
                    for name, stream in batch.experts.streams.items()
                }
            )
        return (replace(batch, **read), *arguments[1:])
