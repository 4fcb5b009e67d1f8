#!/usr/bin/env python3
"""A consumer of an SQS queue that knows nothing of Sluice: boto3 and three variables.

On AWS and on the local target alike, the pod's ServiceAccount gives it a role (AWS_ROLE_ARN and a token), the stack gives
it QUEUE_URL, and boto3 finds everything else by itself: on the local target also the endpoint, from AWS_ENDPOINT_URL.
"""

import json
import os
import signal
import sys
import time

import boto3

QUEUE_URL = os.environ["QUEUE_URL"]
WORK_SECONDS = float(os.environ.get("WORK_SECONDS", "1"))
WAIT_SECONDS = 20


class Stopping:
    """Set by SIGTERM: the message in work is finished, the next one is not begun."""

    def __init__(self):
        self.asked = False
        signal.signal(signal.SIGTERM, self.ask)

    def ask(self, *_):
        self.asked = True


def say(**fields):
    print(json.dumps(fields), flush=True)


def work(body):
    """Here is where an order would be dealt with."""
    time.sleep(WORK_SECONDS)
    return len(body)


def main():
    stopping = Stopping()
    sqs = boto3.client("sqs")
    say(event="started", queue=QUEUE_URL, pod=os.environ.get("POD_NAME"))
    while not stopping.asked:
        answer = sqs.receive_message(
            QueueUrl=QUEUE_URL,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=WAIT_SECONDS,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        for message in answer.get("Messages", []):
            if stopping.asked:
                # Handed back at once, instead of when its visibility timeout is over.
                sqs.change_message_visibility(
                    QueueUrl=QUEUE_URL, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )
                continue
            size = work(message["Body"])
            sqs.delete_message(QueueUrl=QUEUE_URL, ReceiptHandle=message["ReceiptHandle"])
            say(event="done", id=message["MessageId"], bytes=size)
    say(event="stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
