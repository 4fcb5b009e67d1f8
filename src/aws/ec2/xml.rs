//! An XML answer as a tree: elements with their text and children; attributes and namespaces say nothing in EC2's answers.

use quick_xml::Reader;
use quick_xml::events::Event;

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    /// Its own text.
    pub(crate) content: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The root of a document, or why it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        // The outermost holds the document.
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|error| format!("it is no XML: {error}"))? {
                Event::Start(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    open.push(Self { name, ..Self::default() });
                }
                Event::Empty(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    keep(&mut open, Self { name, ..Self::default() });
                }
                Event::End(_) => {
                    let Some(done) = open.pop() else { return Err("an element ends that did not begin".to_owned()) };
                    keep(&mut open, done);
                }
                Event::Text(piece) => write(&mut open, &piece.decode().map_err(|error| error.to_string())?),
                Event::CData(piece) => write(&mut open, &piece.decode().map_err(|error| error.to_string())?),
                Event::GeneralRef(name) => {
                    let resolved = name.resolve_char_ref().map_err(|error| error.to_string())?;
                    let resolved = resolved.or_else(|| predefined(&name)).ok_or("it has an unknown entity")?;
                    write(&mut open, resolved.encode_utf8(&mut [0; 4]));
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let is_whole = open.len() == 1;
        let root = open.pop().and_then(|mut document| document.children.pop());
        root.filter(|_| is_whole).ok_or_else(|| "it is not a whole XML document".to_owned())
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of a name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.content.trim())
    }

    /// The items of a set; none if there is no such set.
    pub(crate) fn items(&self, set: &str) -> &[Self] {
        self.child(set).map_or(&[], |set| &set.children)
    }
}

fn keep(open: &mut [Element], done: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(done);
    }
}

fn write(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.content.push_str(text);
    }
}

/// XML 1.0, section 4.6.
fn predefined(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_a_tree_of_texts() {
        let text = "<?xml version=\"1.0\"?>\n<a xmlns=\"http://x\"><set><item><b>1 &lt; 2</b></item><item/></set><c>&#65;</c></a>";
        let root = Element::parse(text).unwrap();
        assert_eq!(root.items("set").len(), 2);
        assert_eq!(root.items("set")[0].text("b"), Some("1 < 2"));
        assert_eq!((root.text("c"), root.text("d"), root.items("none").len()), (Some("A"), None, 0));
    }

    #[test]
    fn what_is_no_document_is_said() {
        for text in ["", "no", "<a>", "<a><b></a>", "</a>", "<a>&nosuch;</a>"] {
            assert!(Element::parse(text).is_err(), "{text}");
        }
    }
}
