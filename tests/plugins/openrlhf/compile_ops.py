"""Compile the two CPU operators that DeepSpeed would otherwise compile within the first run."""

from deepspeed.accelerator import get_accelerator

for name in ("FusedAdamBuilder", "ShareMemCommBuilder"):
    get_accelerator().create_op_builder(name).load(verbose=False)
