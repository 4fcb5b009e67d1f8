//! Receipt handles: of this queue, this message, this receive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Fault;

/// The handle of one receive of a message.
pub(super) fn make(queue_id: &str, arrival: u64, nonce: &str) -> String {
    STANDARD.encode(format!("{queue_id} {arrival} {nonce}"))
}

/// The arrival number and nonce in a handle of the queue with this id.
pub(super) fn parse(queue_id: &str, handle: &str) -> Result<(u64, String), Fault> {
    let bad = || {
        Fault::sender(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        )
    };
    let text = STANDARD.decode(handle).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    let parts: Vec<_> = text.split(' ').collect();
    match parts.as_slice() {
        [id, arrival, nonce] if *id == queue_id => Ok((arrival.parse().map_err(|_| bad())?, (*nonce).to_owned())),
        _ => Err(bad()),
    }
}
