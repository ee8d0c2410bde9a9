//! Loose reading of values that other tools write in several ways.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value that can be read from more than its own JSON type.
pub(super) trait Loose: Sized {
    /// The value; `None` for `null` and for text that says that there is none.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error>;
}

/// A field that is read loosely.
pub(super) struct Read<T>(pub(super) Option<T>);

impl<'de, T: Loose> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(deserializer).map(Read)
    }
}

/// Text that has to be there.
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::read(deserializer)?.map(Text).ok_or_else(|| D::Error::custom("must not be empty"))
    }
}

/// A section; `null` is an empty one.
pub(super) struct Section<T>(pub(super) T);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Section(Option::<T>::deserialize(deserializer)?.unwrap_or_default()))
    }
}

/// A value that is read as its own type says.
pub(super) struct Plain<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Plain<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Plain)
    }
}

/// A key, borrowed where its text has no escapes.
pub(super) struct Key<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }

            fn visit_string<E>(self, key: String) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key)))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

/// Implements `Deserialize` for a struct whose unknown keys go to its field `extra`; every other field names how it is
/// read. Of a key that stands twice the last value counts. `after` looks at the whole.
///
/// `#[serde(flatten)]` does the same but holds every value of a struct in a buffer first, which is too slow for files of
/// a million rows.
macro_rules! read_keeping_unknown {
    ($name:ident { $($field:ident: $how:ty,)* } after $after:expr) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;

                impl<'de> serde::de::Visitor<'de> for Reader {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a mapping")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut found = <$name>::default();
                        while let Some(loose::Key(key)) = map.next_key()? {
                            match key.as_ref() {
                                $(stringify!($field) => found.$field = map.next_value::<$how>()?.0,)*
                                _ => {
                                    found.extra.insert(key.into_owned(), map.next_value()?);
                                }
                            }
                        }
                        let after: fn($name) -> Result<$name, A::Error> = $after;
                        after(found)
                    }
                }

                deserializer.deserialize_map(Reader)
            }
        }
    };
}

pub(super) use read_keeping_unknown;

/// Whether a section holds nothing and can be left out.
pub(super) fn is_empty<T: Default + PartialEq>(section: &T) -> bool {
    *section == T::default()
}

/// What a scalar of JSON can be.
enum Scalar {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_none<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(value))
    }
}

/// Text by which tools say that there is no value.
fn says_none(text: &str) -> bool {
    ["", "-", "null", "none", "n/a", "nan"].iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}

impl Loose for f64 {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        match deserializer.deserialize_any(ScalarVisitor)? {
            Scalar::Null => Ok(None),
            Scalar::Number(number) => Ok(Some(number).filter(|n| n.is_finite())),
            Scalar::Text(text) if says_none(&text) => Ok(None),
            Scalar::Text(text) => match text.trim().parse::<f64>() {
                // `inf` is how tools write "no limit".
                Ok(number) => Ok(Some(number).filter(|n| n.is_finite())),
                Err(_) => Err(D::Error::custom(format!("`{text}` is not a number"))),
            },
            Scalar::Bool(value) => Err(D::Error::custom(format!("`{value}` is not a number"))),
        }
    }
}

impl Loose for u64 {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        match f64::read(deserializer)? {
            None => Ok(None),
            Some(number) if number >= 0.0 && number.fract() == 0.0 && number <= 2f64.powi(53) => {
                Ok(Some(number as u64))
            }
            Some(number) => Err(D::Error::custom(format!("`{number}` is not a whole number from 0 up"))),
        }
    }
}

impl Loose for bool {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Ok(match deserializer.deserialize_any(ScalarVisitor)? {
            Scalar::Null => None,
            Scalar::Bool(value) => Some(value),
            Scalar::Number(number) => Some(number == 1.0),
            Scalar::Text(text) if says_none(&text) => None,
            Scalar::Text(text) => {
                Some(["1", "true", "yes", "y"].iter().any(|word| text.trim().eq_ignore_ascii_case(word)))
            }
        })
    }
}

impl Loose for String {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Ok(match deserializer.deserialize_any(ScalarVisitor)? {
            Scalar::Null => None,
            Scalar::Bool(value) => Some(value.to_string()),
            Scalar::Number(number) => Some(number.to_string()),
            Scalar::Text(text) => Some(text).filter(|text| !text.is_empty()),
        })
    }
}

impl Loose for Value {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Ok(Some(Value::deserialize(deserializer)?).filter(|value| !value.is_null()))
    }
}

/// A list of texts; a single text is a list of one.
impl Loose for Vec<String> {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        let word = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(match Value::deserialize(deserializer)? {
            Value::Null => None,
            Value::Array(items) => Some(items.into_iter().map(word).collect()),
            one => Some(vec![word(one)]),
        })
    }
}
