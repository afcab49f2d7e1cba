"""In-memory cache of published tasks' content, which publishing freezes: each is read once."""

from collections import OrderedDict

from services.tasks.domain import Content, State, TaskReader

# A content takes at most about 100 kB, mostly one or two.
_MAXIMUM_COUNT = 200


class PublishedContentCache:
    """Evicts the least recently used content."""

    def __init__(self, tasks: TaskReader) -> None:
        self._tasks = tasks
        # The most recently used come last.
        self._contents: OrderedDict[str, Content] = OrderedDict()

    async def content(self, task_id: str) -> Content | None:
        """None if there is no such task or it is a draft."""
        content = self._contents.get(task_id)
        if content is None:
            task = await self._tasks.task(task_id)
            if task is None or task.state is State.DRAFT:
                return None
            content = task.content
        self._contents[task_id] = content
        self._contents.move_to_end(task_id)
        if len(self._contents) > _MAXIMUM_COUNT:
            self._contents.popitem(last=False)
        return content
