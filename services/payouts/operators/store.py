"""SQL of operators' decisions, which are append-only."""

from psycopg.rows import DictRow

from servicekit.postgres.database import Database
from services.payouts.attempts import Attempt
from services.payouts.domain import Beneficiary, Decision, DecisionKind, Outcome
from workflows.payout.providers import ProviderName


class DecisionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_decision(self, payout_id: str, decision: Decision) -> None:
        await self._database.execute(
            """
            INSERT INTO decision (payout_id, kind, attempt_number, reason, actor, provider,
                                  receiver, pays_again, beneficiary, outcome, request_id,
                                  create_time)
            VALUES (%(payout_id)s, %(kind)s, %(attempt_number)s, %(reason)s, %(actor)s,
                    %(provider)s, %(receiver)s, %(pays_again)s, %(beneficiary)s, %(outcome)s,
                    %(request_id)s, %(create_time)s)
            """,
            {
                "payout_id": payout_id,
                "kind": decision.kind,
                "attempt_number": decision.attempt_number,
                "reason": decision.reason,
                "actor": decision.actor,
                "provider": decision.provider,
                "receiver": decision.receiver,
                "pays_again": decision.pays_again,
                "beneficiary": decision.beneficiary,
                "outcome": decision.outcome,
                "request_id": decision.request_id,
                "create_time": decision.create_time,
            },
        )

    async def find_decision(
        self, kind: DecisionKind, actor: str, request_id: str
    ) -> Decision | None:
        """The decision that this request made earlier, if any."""
        row = await self._database.fetch_one(
            "SELECT * FROM decision WHERE request_id = %s AND kind = %s AND actor = %s",
            (request_id, kind, actor),
        )
        return _decision(row) if row else None

    async def is_held(self, payout_id: str) -> bool:
        """Whether the payout is held. Cheaper than reading the view `payout_now`."""
        row = await self._database.fetch_one(
            """
            SELECT kind FROM decision WHERE payout_id = %s AND kind IN ('HOLD', 'RESUME')
             ORDER BY id DESC LIMIT 1
            """,
            (payout_id,),
        )
        return row is not None and row["kind"] == "HOLD"

    async def retry_of(self, payout_id: str, attempt_number: int) -> Decision | None:
        """The last decision to make this attempt."""
        row = await self._database.fetch_one(
            """
            SELECT * FROM decision
             WHERE payout_id = %s AND kind = 'RETRY' AND attempt_number = %s
             ORDER BY id DESC LIMIT 1
            """,
            (payout_id, attempt_number),
        )
        return _decision(row) if row else None

    async def decisions(self, payout_id: str) -> list[Decision]:
        """Oldest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM decision WHERE payout_id = %s ORDER BY id", (payout_id,)
        )
        return list(map(_decision, rows))

    async def is_reported(self, attempt: Attempt) -> bool:
        """Whether the provider has reported the attempt's payment, and neither its return nor its
        denial."""
        row = await self._database.fetch_one(
            """
            SELECT FROM reported_transaction paid
             WHERE provider = %s AND sender_batch_id = %s AND amount_minor > 0
               AND NOT EXISTS (SELECT FROM reported_transaction back
                                WHERE back.provider = paid.provider AND back.reverses_id = paid.id)
               AND NOT EXISTS (SELECT FROM reconciled_transaction nothing
                                WHERE nothing.provider = paid.provider
                                  AND nothing.transaction_id = paid.id
                                  AND nothing.transfer_id IS NULL)
            """,
            (attempt.provider, attempt.sender_batch_id),
        )
        return row is not None


def _decision(row: DictRow) -> Decision:
    return Decision(
        kind=DecisionKind(row["kind"]),
        reason=row["reason"],
        actor=row["actor"],
        request_id=str(row["request_id"] or ""),
        create_time=row["create_time"],
        attempt_number=row["attempt_number"],
        provider=ProviderName(row["provider"]) if row["provider"] else None,
        receiver=row["receiver"],
        pays_again=row["pays_again"],
        beneficiary=Beneficiary(row["beneficiary"]) if row["beneficiary"] else None,
        outcome=Outcome(row["outcome"]) if row["outcome"] else None,
    )
