# A JupyterHub for a class. Start it with
#
#     HUB_PASSWORD=… jupyterhub -f docs/classroom/jupyterhub_config.py
#
# As it stands it suits a trial on one machine: everybody who knows the password is let in under any name, and all
# servers run as the user who starts the hub. docs/classroom.md says what to change for a real class.

import os
import sys

c = get_config()  # noqa: F821

c.JupyterHub.bind_url = os.environ.get("HUB_URL", "http://127.0.0.1:8000")
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["HUB_PASSWORD"]
c.Authenticator.allow_all = True

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = os.environ.get("HUB_HOMES", "/tmp/class") + "/{username}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"

# One copy of the weights for all: the cache that `tokenscope models pull gpt2` has filled, which everybody may read.
# One thread each, so that twenty kernels do not fight for the cores.
c.Spawner.environment = {
    name: os.environ[name] for name in ["TOKENSCOPE_MODEL", "HF_HUB_CACHE"] if name in os.environ
} | {"HF_HUB_OFFLINE": "1", "RAYON_NUM_THREADS": "1"}

# Kernels that nobody has used for an hour end, and with them what they hold.
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=3600", "--MappingKernelManager.cull_interval=300"]
if os.geteuid() == 0:
    c.Spawner.args.append("--allow-root")
