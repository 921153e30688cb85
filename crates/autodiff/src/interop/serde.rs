//! `serde`: tensors as shape and elements, literals so that infinities survive JSON. Programs derive theirs; reading one back checks it.

use crate::op::{Custom, Literal};
use crate::scalar::Element;
use crate::tensor::Tensor;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

#[derive(Serialize, Deserialize)]
#[serde(rename = "Tensor")]
struct Parts<E> {
    shape: Vec<usize>,
    data: Vec<E>,
}

impl<E: Element + Serialize> Serialize for Tensor<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Parts { shape: self.dims().to_vec(), data: self.data().to_vec() }.serialize(serializer)
    }
}

impl<'de, E: Element + Deserialize<'de>> Deserialize<'de> for Tensor<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Parts { shape, data } = Parts::deserialize(deserializer)?;
        Self::new(&shape, data).map_err(de::Error::custom)
    }
}

/// A custom op is made of closures and cannot be written down: this fails, with its name.
impl Serialize for Custom {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom(format!("custom op `{}` is made of closures and cannot be serialized", self.name())))
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("a custom op cannot be deserialized"))
    }
}

/// As a number; in formats for people, which may know no infinities, those and NaN as text.
impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() && !self.0.is_finite() {
            serializer.serialize_str(&self.0.to_string())
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        if !deserializer.is_human_readable() {
            return f64::deserialize(deserializer).map(Literal);
        }
        match Written::deserialize(deserializer)? {
            Written::Number(x) => Ok(Self(x)),
            Written::Text(text) => text.parse().map(Literal).map_err(de::Error::custom),
        }
    }
}
