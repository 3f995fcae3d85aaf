"""The memory models by name: `MEMORIES["gru"](features=256)`."""

from agents.memory.base import Carry, Memory
from agents.memory.delta_net import DeltaNet
from agents.memory.dnc import DNC
from agents.memory.elman import Elman
from agents.memory.fart import FART
from agents.memory.ffm import FFM
from agents.memory.frame_stack import FrameStack
from agents.memory.fwp import FWP
from agents.memory.gated_delta_net import GatedDeltaNet
from agents.memory.gla import GLA
from agents.memory.gru import GRU
from agents.memory.gtrxl import GTrXL
from agents.memory.ind_rnn import IndRNN
from agents.memory.lmu import LMU
from agents.memory.lru import LRU
from agents.memory.lstm import LSTM
from agents.memory.mamba import Mamba
from agents.memory.mamba2 import Mamba2
from agents.memory.min_gru import MinGRU
from agents.memory.min_lstm import MinLSTM
from agents.memory.mlp import MLP
from agents.memory.mlstm import MLSTM
from agents.memory.pos_mlp import PosMLP
from agents.memory.s4 import S4
from agents.memory.s4d import S4D
from agents.memory.s5 import S5
from agents.memory.shm import SHM
from agents.memory.slstm import SLSTM
from agents.memory.tcn import TCN
from agents.memory.transformer import Transformer

MEMORIES: dict[str, type[Memory]] = {
    "mlp": MLP,
    "gru": GRU,
    "transformer": Transformer,
    "gtrxl": GTrXL,
    "pos_mlp": PosMLP,
    "frame_stack": FrameStack,
    "tcn": TCN,
    "elman": Elman,
    "lstm": LSTM,
    "ind_rnn": IndRNN,
    "fart": FART,
    "fwp": FWP,
    "s4d": S4D,
    "lmu": LMU,
    "s4": S4,
    "s5": S5,
    "lru": LRU,
    "mamba": Mamba,
    "mamba2": Mamba2,
    "gla": GLA,
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
    "ffm": FFM,
    "dnc": DNC,
    "slstm": SLSTM,
    "mlstm": MLSTM,
    "delta_net": DeltaNet,
    "gated_delta_net": GatedDeltaNet,
    "shm": SHM,
}

__all__ = ["MEMORIES", "Carry", "Memory"]
