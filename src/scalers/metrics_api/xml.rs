//! The text of one element of an XML answer.

use quick_xml::Reader;
use quick_xml::events::Event;

/// The text of the first element at the end of `keys`: names from the root on, or from its children on. `None` if there is none.
///
/// # Errors
///
/// In words, if the answer is no XML.
pub(super) fn text(document: &str, keys: &[String]) -> Result<Option<String>, String> {
    let mut reader = Reader::from_str(document);
    let mut open: Vec<String> = Vec::new();
    let (mut found, mut is_done) = (None::<String>, false);
    loop {
        match reader.read_event().map_err(|error| format!("the answer is no XML: {error}"))? {
            Event::Start(start) => {
                open.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
                if is_at(&open, keys) && found.is_none() {
                    found = Some(String::new());
                }
            }
            Event::Text(piece) if is_at(&open, keys) && !is_done => {
                let piece = piece.decode().map_err(|error| format!("the answer is no XML: {error}"))?;
                found.get_or_insert_default().push_str(&piece);
            }
            Event::CData(piece) if is_at(&open, keys) && !is_done => {
                let piece = piece.decode().map_err(|error| format!("the answer is no XML: {error}"))?;
                found.get_or_insert_default().push_str(&piece);
            }
            Event::End(_) => {
                is_done |= is_at(&open, keys);
                open.pop();
            }
            Event::Eof if open.is_empty() => return Ok(found),
            Event::Eof => return Err("the answer is not a whole XML document".to_owned()),
            _ => {}
        }
    }
}

fn is_at(open: &[String], keys: &[String]) -> bool {
    open == keys || open.get(1..).is_some_and(|below| below == keys)
}
