"""Tasks as protobuf messages."""

from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from services.tasks.domain import Content, Reward, Task
from workflows.assignment.messages import policy_message


def task_message(task: Task) -> pb.Task:
    content = task.content
    return pb.Task(
        name=task.name,
        state=pb.Task.State.Value(f"STATE_{task.state}"),
        brand=f"brands/{task.brand_id}",
        title=content.title,
        description=content.description,
        content_types=[
            pb.ContentType.Value(f"CONTENT_TYPE_{one}") for one in content.content_types
        ],
        completion_rule=pb.CompletionRule.Value(f"COMPLETION_RULE_{content.completion_rule}"),
        requirements=[pb.Requirement(id=one.id, text=one.text) for one in content.requirements],
        reward=_reward_message(content.reward),
        funding=_funding(content),
        creator_slots=content.creator_slots,
        eligibility=_eligibility_message(content),
        live_stream_channel=_live_stream_channel(content),
        application_deadline_time=to_timestamp(content.application_deadline_time),
        selection_deadline_time=to_timestamp(content.selection_deadline_time),
        submission_deadline_time=to_timestamp(content.submission_deadline_time),
        policy=f"policies/{content.policy_name}",
        frozen_policy=policy_message(task.frozen_policy) if task.frozen_policy else None,
        selected_count=task.selected_count,
        create_time=to_timestamp(task.create_time),
        update_time=to_timestamp(task.update_time),
        publish_time=to_timestamp(task.publish_time),
        etag=task.etag,
        store_coupons=[
            pb.StoreCoupons(store_id=one.store_id, coupon_ids=one.coupon_ids)
            for one in content.store_coupons
        ],
    )


def _funding(content: Content) -> pb.Funding.ValueType:
    if not isinstance(content.reward, Money):
        return pb.FUNDING_UNSPECIFIED
    return pb.Funding.Value(f"FUNDING_{content.funding}")


def _eligibility_message(content: Content) -> pb.Eligibility:
    return pb.Eligibility(
        account_classes=[
            creators_pb2.AccountClass.Value(f"ACCOUNT_CLASS_{one}")
            for one in content.account_classes
        ],
        minimum_level=creators_pb2.CreatorLevel.Value(f"CREATOR_LEVEL_{content.minimum_level}"),
    )


def _live_stream_channel(content: Content) -> pb.LiveStreamChannel.ValueType:
    if not content.has_live_stream:
        return pb.LIVE_STREAM_CHANNEL_UNSPECIFIED
    return pb.LiveStreamChannel.Value(f"LIVE_STREAM_CHANNEL_{content.live_stream_channel}")


def _reward_message(reward: Reward) -> pb.Reward:
    if isinstance(reward, Money):
        return pb.Reward(money=reward.to_message())
    return pb.Reward(product=pb.ProductReward(title=reward.title, link=reward.link))
