"""Values that the job's role may read, resolved in memory when the program starts."""

from .store import call_json


class NoSecret(Exception):
    """A reference leads nowhere."""


def secret(imds, reference, region, dualstack):
    """The value. Raises Denied, Missing, Unreachable, NoSecret."""
    kind, _, rest = reference.partition(":")
    if kind == "ssm":
        asked = {"Name": rest, "WithDecryption": True}
        return call_json(imds, "ssm", region, "AmazonSSM.GetParameter", asked, dualstack)["Parameter"]["Value"]
    if kind == "secretsmanager":
        place = rest.split(":")[3] if rest.startswith("arn:") else region
        asked = {"SecretId": rest}
        answer = call_json(imds, "secretsmanager", place, "secretsmanager.GetSecretValue", asked, dualstack)
        if "SecretString" in answer:
            return answer["SecretString"]
    raise NoSecret(reference)
