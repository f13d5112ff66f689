"""What can be learnt, one file a task."""

from crnn_jt.tasks import (  # noqa: F401  (they register themselves)
    detection,
    direction,
    distillation,
    distilled_spotting,
    language,
    recognition,
    search,
    selection,
    self_training,
    spotting,
)
from crnn_jt.tasks.base import TASKS, Inputs, Task, task_of

__all__ = ["TASKS", "Inputs", "Task", "task_of"]
