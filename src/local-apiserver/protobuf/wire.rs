//! The wire format: numbered fields, each a number or bytes.

/// The content of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    pub(super) fn bytes(&self) -> Result<&'a [u8], String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err("a number stands where bytes belong".to_owned()),
        }
    }

    pub(super) fn number(&self) -> Result<u64, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Bytes(_) => Err("bytes stand where a number belongs".to_owned()),
        }
    }
}

/// Walks over the fields of one message; after an error there is nothing more.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("the message ends in the middle of a field")?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number is longer than 64 bits".to_owned())
    }

    fn little_endian(&mut self, count: usize) -> Result<u64, String> {
        Ok(self.take(count)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn field(&mut self) -> Result<(u64, Item<'a>), String> {
        let tag = self.varint()?;
        let item = match tag & 7 {
            0 => Item::Number(self.varint()?),
            1 => Item::Number(self.little_endian(8)?),
            5 => Item::Number(self.little_endian(4)?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|error| error.to_string())?;
                Item::Bytes(self.take(length)?)
            }
            other => return Err(format!("wire type {other} is not used by Kubernetes")),
        };
        Ok((tag >> 3, item))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u64, Item<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}
