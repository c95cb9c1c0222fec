"""With several GPUs each job takes one that no other holds. No GPU is needed: the lock is what is tested."""

import select
import subprocess
import sys

import pytest
import torch

from dirconv.errors import UserError
from dirconv.stages import _device

TAKE = """
import os, sys, types, torch
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 2
torch.cuda.get_device_properties = lambda i: types.SimpleNamespace(uuid=f"GPU-{i}")
torch.cuda.set_device = lambda i: None
from dirconv.stages import _device
_device.WAIT = 0.1
print(_device.choose("auto"), flush=True)
assert _device.choose("auto") == _device.choose("cuda")  # one process keeps its device
sys.stdin.read()
"""


@pytest.fixture
def job(tmp_path):
    """Starts a process that takes a device and holds it until its standard input ends."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_two_jobs_take_two_devices_and_a_third_waits_for_one(job):
    first, second = job(), job()
    taken = {first.stdout.readline(), second.stdout.readline()}
    assert taken == {"cuda:0\n", "cuda:1\n"}
    third = job()
    assert "waiting for one" in third.stderr.readline()
    assert not select.select([third.stdout], [], [], 1.0)[0]
    second.stdin.close()
    second.wait()
    assert third.stdout.readline() in taken


def test_without_a_gpu_auto_is_the_cpu_and_cuda_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert _device.choose("auto") == _device.choose("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="device: cuda was asked for"):
        _device.choose("cuda")


def test_cpu_takes_nothing_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: pytest.fail("looked for a device"))
    assert _device.choose("cpu") == torch.device("cpu")
