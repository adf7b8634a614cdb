"""What all simulated platforms share: phones, faults on demand, a gate, a clock and a log."""

from channels.base.simulator.clock import TurnableClock
from channels.base.simulator.faults import Fault, Faults
from channels.base.simulator.gate import Gate
from channels.base.simulator.listening import Listener, serving
from channels.base.simulator.log import CallLog
from channels.base.simulator.platform import ControlProblem, Simulator

__all__ = [
    "CallLog",
    "ControlProblem",
    "Fault",
    "Faults",
    "Gate",
    "Listener",
    "Simulator",
    "TurnableClock",
    "serving",
]
