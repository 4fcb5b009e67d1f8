//! The operations of SQS that are served: what of their inputs is read, and what is refused by name.

use super::served::{Served, served};

pub(crate) const SQS: &[Served] = &[
    served("AddPermission", "QueueUrl Label AWSAccountIds Actions", &[]),
    served("CancelMessageMoveTask", "TaskHandle", &[]),
    served("ChangeMessageVisibility", "QueueUrl ReceiptHandle VisibilityTimeout", &[]),
    served("ChangeMessageVisibilityBatch", "QueueUrl Entries.Id Entries.ReceiptHandle Entries.VisibilityTimeout", &[]),
    served("CreateQueue", "QueueName Attributes tags", &[]),
    served("DeleteMessage", "QueueUrl ReceiptHandle", &[]),
    served("DeleteMessageBatch", "QueueUrl Entries.Id Entries.ReceiptHandle", &[]),
    served("DeleteQueue", "QueueUrl", &[]),
    served("GetQueueAttributes", "QueueUrl AttributeNames", &[]),
    served("GetQueueUrl", "QueueName QueueOwnerAWSAccountId", &[]),
    served("ListDeadLetterSourceQueues", "QueueUrl NextToken MaxResults", &[]),
    served("ListMessageMoveTasks", "SourceArn MaxResults", &[]),
    served("ListQueueTags", "QueueUrl", &[]),
    served("ListQueues", "QueueNamePrefix NextToken MaxResults", &[]),
    served("PurgeQueue", "QueueUrl", &[]),
    served(
        "ReceiveMessage",
        "QueueUrl AttributeNames MessageSystemAttributeNames MessageAttributeNames MaxNumberOfMessages VisibilityTimeout WaitTimeSeconds ReceiveRequestAttemptId",
        &[],
    ),
    served("RemovePermission", "QueueUrl Label", &[]),
    served(
        "SendMessage",
        "QueueUrl MessageBody DelaySeconds MessageAttributes.StringValue MessageAttributes.BinaryValue MessageAttributes.StringListValues MessageAttributes.BinaryListValues MessageAttributes.DataType MessageSystemAttributes.StringValue MessageSystemAttributes.BinaryValue MessageSystemAttributes.StringListValues MessageSystemAttributes.BinaryListValues MessageSystemAttributes.DataType MessageDeduplicationId MessageGroupId",
        &[],
    ),
    served(
        "SendMessageBatch",
        "QueueUrl Entries.Id Entries.MessageBody Entries.DelaySeconds Entries.MessageAttributes.StringValue Entries.MessageAttributes.BinaryValue Entries.MessageAttributes.StringListValues Entries.MessageAttributes.BinaryListValues Entries.MessageAttributes.DataType Entries.MessageSystemAttributes.StringValue Entries.MessageSystemAttributes.BinaryValue Entries.MessageSystemAttributes.StringListValues Entries.MessageSystemAttributes.BinaryListValues Entries.MessageSystemAttributes.DataType Entries.MessageDeduplicationId Entries.MessageGroupId",
        &[],
    ),
    served("SetQueueAttributes", "QueueUrl Attributes", &[]),
    served("StartMessageMoveTask", "SourceArn DestinationArn MaxNumberOfMessagesPerSecond", &[]),
    served("TagQueue", "QueueUrl Tags", &[]),
    served("UntagQueue", "QueueUrl TagKeys", &[]),
];
