"""The demo's participants, and what has happened so far; `outcomes` verifies it."""

from typing import Any

from liaison.media.v1 import publications_pb2

from cli.demo.actors import Actors
from cli.demo.applicants import APPLICANTS
from cli.demo.creator_client import CreatorClient
from cli.demo.timeline import Timeline


class Story:
    """One run of the demo: a brand, an operator, a mediator and five creators.

    `preparation` and `assignments` fill in the resources as they create them.
    """

    def __init__(self, actors: Actors, timeline: Timeline) -> None:
        self.actors = actors
        self.timeline = timeline
        self.acme = actors.brand("acme")
        self.olga = actors.staff("operator", "olga")
        self.mia = actors.staff("mediator", "mia")
        self.creators = {one.name: actors.creator(one.name) for one in APPLICANTS}
        self.clients = {
            name: CreatorClient(name, caller, timeline) for name, caller in self.creators.items()
        }
        self.task = ""
        self.applications: dict[str, str] = {}
        self.dispute = ""
        # The image of anna's that is too small.
        self.tiny_image = ""
        # Ids of the rules that the validation of anna's first draft named.
        self.first_findings: set[str] = set()
        self.publications: dict[str, publications_pb2.Publication] = {}
        # Anna's published article, as readers get it.
        self.published: dict[str, Any] = {}

    def assignment(self, name: str) -> str:
        return f"assignments/{self.applications[name].rpartition('/')[2]}"

    def payout(self, name: str) -> str:
        return self.assignment(name).replace("assignments/", "payouts/")
