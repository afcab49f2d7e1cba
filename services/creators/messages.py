"""Domain objects as messages of creators.v1."""

from liaison.creators.v1 import creators_pb2 as pb

from servicekit.creator_levels import CreatorLevel
from servicekit.timestamps import to_timestamp
from services.creators import live_streams
from services.creators.domain import (
    Account,
    Appeal,
    Creator,
    Decision,
    Refusal,
    Statistics,
)


def creator_message(creator: Creator) -> pb.Creator:
    return pb.Creator(
        name=creator.name,
        state=pb.Creator.State.Value(f"STATE_{creator.state}"),
        display_name=creator.display_name,
        mobile_number=creator.mobile_number,
        dingtalk_id=creator.dingtalk_id,
        account=_account(creator.account),
        refusals=map(_refusal, creator.refusals),
        level=_level(creator.level),
        live_stream_access=creator.has_live_stream_access,
        paypal_receiver=creator.paypal_receiver,
        paypal_receiver_name_time=to_timestamp(creator.paypal_receiver_name_time),
        create_time=to_timestamp(creator.create_time),
        update_time=to_timestamp(creator.update_time),
        refused_by=creator.refused_by,
        appeal=_appeal(creator.appeal),
        statistics=statistics_message(creator.statistics) if creator.statistics else None,
        unmet_criteria=map(_refusal, creator.unmet_criteria),
        live_stream_application=_live_stream_application(creator.live_stream_application),
    )


def profile_message(creator: Creator) -> pb.CreatorProfile:
    """Of what the creator entered at onboarding, only the display name (R56)."""
    return pb.CreatorProfile(
        name=creator.name,
        display_name=creator.display_name,
        level=_level(creator.level),
        live_stream_access=creator.has_live_stream_access,
    )


def decision_message(creator_id: str, decision: Decision) -> pb.CreatorDecision:
    return pb.CreatorDecision(
        name=f"creators/{creator_id}/decisions/{decision.number}",
        kind=pb.CreatorDecision.Kind.Value(f"KIND_{decision.kind}"),
        decided_by=decision.decided_by,
        decide_time=to_timestamp(decision.decide_time),
        comment=decision.comment,
        refusals=map(_refusal, decision.refusals),
        level=_level(decision.level),
        account=_account(decision.account),
        appeal=_appeal(decision.appeal),
        live_stream_application=_live_stream_application(decision.live_stream_application),
    )


def statistics_message(statistics: Statistics) -> pb.Statistics:
    return pb.Statistics(
        post_count=statistics.post_count,
        follower_count=statistics.follower_count,
        observe_time=to_timestamp(statistics.observe_time),
        source=pb.StatisticsSource.Value(f"STATISTICS_SOURCE_{statistics.source}"),
    )


def _level(level: CreatorLevel | None) -> pb.CreatorLevel.ValueType:
    return pb.CreatorLevel.Value(f"CREATOR_LEVEL_{level or 'UNSPECIFIED'}")


def _account(account: Account | None) -> pb.SocialAccount | None:
    if account is None:
        return None
    return pb.SocialAccount(
        account_class=pb.AccountClass.Value(f"ACCOUNT_CLASS_{account.account_class}"),
        handle=account.handle,
        post_count=account.post_count,
        follower_count=account.follower_count,
    )


def _refusal(refusal: Refusal) -> pb.Refusal:
    return pb.Refusal(
        code=pb.RefusalCode.Value(f"REFUSAL_CODE_{refusal.code}"),
        rule_id=refusal.rule_id,
        description=refusal.description,
    )


def _appeal(appeal: Appeal | None) -> pb.Appeal | None:
    if appeal is None:
        return None
    return pb.Appeal(statement=appeal.statement, appeal_time=to_timestamp(appeal.appeal_time))


def _live_stream_application(
    application: live_streams.Application | None,
) -> pb.LiveStreamApplication | None:
    if application is None:
        return None
    return pb.LiveStreamApplication(
        state=pb.LiveStreamApplication.State.Value(f"STATE_{application.state}"),
        experience=application.experience,
        sample_links=application.sample_links,
        comment=application.comment,
        apply_time=to_timestamp(application.apply_time),
        decide_time=to_timestamp(application.decide_time),
        decided_by=application.decided_by,
    )
