//! A decoder that is fast because of what it does not look at.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::skip;

/// Decodes as `serde_json::from_slice` does, strings without escapes borrowed from `text`.
///
/// One difference: of a value that `T` does not ask for, only brackets and the ends of strings are checked, not the
/// numbers, commas and escapes inside. Text that is cut off or has brackets that do not match is an error.
pub(crate) fn from_slice<'de, T: Deserialize<'de>>(text: &'de [u8]) -> serde_json::Result<T> {
    let mut reader = Reader { text, at: 0 };
    let value = T::deserialize(&mut reader);
    match value {
        Ok(value) if reader.at_end() => Ok(value),
        // What this reader leaves to others is rare, and an error is worth a second look: for its words and place.
        _ => serde_json::from_slice(text),
    }
}

/// Something that this reader does not read: a mistake, or a rarity that `serde_json` knows better.
#[derive(Debug)]
struct Unusual;

impl fmt::Display for Unusual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unusual JSON")
    }
}

impl std::error::Error for Unusual {}

impl de::Error for Unusual {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// A string as it stands in the text.
enum Raw<'de> {
    /// The inside of one that means what it says.
    Plain(&'de [u8]),
    /// One with escapes, or with control characters, which are not allowed; with its quotes.
    Quoted(&'de [u8]),
}

fn unescape(quoted: &[u8]) -> Result<String, Unusual> {
    serde_json::from_slice(quoted).map_err(|_| Unusual)
}

struct Reader<'de> {
    text: &'de [u8],
    at: usize,
}

impl<'de> Reader<'de> {
    /// The next byte that is not white space; it stays unread.
    #[inline]
    fn peek(&mut self) -> Result<u8, Unusual> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Unusual),
            }
        }
    }

    fn at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    /// Reads a byte that must come next.
    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Unusual> {
        if self.peek()? != byte {
            return Err(Unusual);
        }
        self.at += 1;
        Ok(())
    }

    /// Takes everything up to `end`.
    fn take(&mut self, end: Option<usize>) -> Result<&'de [u8], Unusual> {
        let end = end.ok_or(Unusual)?;
        let taken = self.text.get(self.at..end).ok_or(Unusual)?;
        self.at = end;
        Ok(taken)
    }

    /// Takes the string that begins here.
    fn raw_string(&mut self) -> Result<Raw<'de>, Unusual> {
        let special = skip::special(self.text, self.at + 1).ok_or(Unusual)?;
        if self.text[special] == b'"' {
            let quoted = self.take(Some(special + 1))?;
            return Ok(Raw::Plain(&quoted[1..quoted.len() - 1]));
        }
        self.take(skip::string(self.text, special)).map(Raw::Quoted)
    }

    /// Passes over the value that begins here.
    fn skip(&mut self) -> Result<(), Unusual> {
        let end = match self.peek()? {
            b'"' => skip::string(self.text, self.at + 1),
            b'{' | b'[' => skip::brackets(self.text, self.at),
            _ => skip::word(self.text, self.at),
        };
        self.take(end).map(drop)
    }

    /// After an entry: whether another follows. `first` is true before any entry.
    #[inline]
    fn another(&mut self, first: bool, close: u8) -> Result<bool, Unusual> {
        let byte = self.peek()?;
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unusual;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        match self.peek()? {
            b'"' => match self.raw_string()? {
                Raw::Plain(text) => {
                    visitor.visit_borrowed_str(std::str::from_utf8(text).map_err(|_| Unusual)?)
                }
                Raw::Quoted(text) => visitor.visit_string(unescape(text)?),
            },
            open @ (b'{' | b'[') => {
                self.at += 1;
                let close = if open == b'{' { b'}' } else { b']' };
                let mut entries = Entries { reader: self, close, first: true, done: false };
                let value = match open {
                    b'{' => visitor.visit_map(&mut entries),
                    _ => visitor.visit_seq(&mut entries),
                }?;
                if entries.done { Ok(value) } else { Err(Unusual) }
            }
            _ => {
                let word = self.take(skip::word(self.text, self.at))?;
                let mut word = serde_json::Deserializer::from_slice(word);
                let value = word.deserialize_any(visitor).map_err(|_| Unusual)?;
                word.end().map_err(|_| Unusual)?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        if self.peek()? == b'n' {
            return match self.take(skip::word(self.text, self.at))? {
                b"null" => visitor.visit_none(),
                _ => Err(Unusual),
            };
        }
        visitor.visit_some(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        self.skip()?;
        visitor.visit_unit()
    }

    /// Names of fields; those that nobody knows need not be text.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unusual> {
        if self.peek()? != b'"' {
            return Err(Unusual);
        }
        match self.raw_string()? {
            Raw::Plain(name) => visitor.visit_borrowed_bytes(name),
            Raw::Quoted(text) => visitor.visit_string(unescape(text)?),
        }
    }

    /// `serde_json::RawValue` comes this way, and is known to nobody but `serde_json`.
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Unusual> {
        Err(Unusual)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct enum
    }
}

/// The entries of an object or a list that is open.
struct Entries<'r, 'de> {
    reader: &'r mut Reader<'de>,
    close: u8,
    first: bool,
    done: bool,
}

impl Entries<'_, '_> {
    #[inline]
    fn next(&mut self) -> Result<bool, Unusual> {
        let more = self.reader.another(self.first, self.close)?;
        self.first = false;
        self.done = !more;
        Ok(more)
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Unusual;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unusual> {
        if !self.next()? {
            return Ok(None);
        }
        if self.reader.peek()? != b'"' {
            return Err(Unusual);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unusual> {
        self.reader.expect(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

impl<'de> SeqAccess<'de> for Entries<'_, 'de> {
    type Error = Unusual;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unusual> {
        if !self.next()? {
            return Ok(None);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }
}
