"""Messages to people through an SNS topic. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

import re
from collections.abc import Mapping
from typing import Any

from provisioner.catalog.policies import TOPIC
from provisioner.clouds.aws.errors import translated
from provisioner.clouds.aws.sessions import Sessions
from provisioner.errors import ConfigError

NOT_IN_SUBJECTS = re.compile(r"[^ -~]")
LONGEST = 99
"""Of a subject, which is ASCII in one line."""


def notify(sessions: Sessions, topic: str, subject: str, text: str, about: Mapping[str, str]) -> None:
    """In the topic's own region. Raises ConfigError for what is no topic's ARN."""
    place = TOPIC.fullmatch(topic)
    if place is None:
        raise ConfigError(f"'{topic}' is no ARN of an SNS topic.", hint="as in arn:aws:sns:us-east-1:123456789012:idle")
    words: Any = {name: {"DataType": "String", "StringValue": value} for name, value in about.items()}
    with translated("sns:Publish"):
        sessions.client("sns", place[1]).publish(
            TopicArn=topic, Subject=NOT_IN_SUBJECTS.sub("?", subject)[:LONGEST], Message=text, MessageAttributes=words
        )
