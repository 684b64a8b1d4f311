"""OpenRLHF's command line with the alternating plugin; its flags are the ordinary ones."""

from benchmarks.openrlhf_alternating import PolicyActor, Trainer
from hdpo_plugins.openrlhf import launch, trainer, worker

if __name__ == "__main__":
    trainer.PluginPPOTrainer, worker.PluginPolicyModelActor = Trainer, PolicyActor
    launch.run()
