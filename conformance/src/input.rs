//! Fields of an input, as the kinds read them. Bytes are hexadecimal, integers of 64 bits decimal
//! strings, since JSON's numbers do not hold them everywhere.

use serde_json::Value;

/// The object that a test's input is.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a Value);

impl<'a> Input<'a> {
    /// A field.
    ///
    /// # Panics
    /// When it is not there: the vector is wrong, not the library. So do the others.
    pub fn field(self, name: &str) -> &'a Value {
        self.0.get(name).unwrap_or_else(|| panic!("the input has no field {name}"))
    }

    /// Whether a field is there.
    pub fn has(self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// A string.
    pub fn text(self, name: &str) -> &'a str {
        self.field(name).as_str().unwrap_or_else(|| panic!("{name} is no string"))
    }

    /// Hexadecimal bytes.
    pub fn bytes(self, name: &str) -> Vec<u8> {
        hex::decode(self.text(name)).unwrap_or_else(|_| panic!("{name} is not hexadecimal"))
    }

    /// Hexadecimal bytes of a fixed length, as the type that fixes it.
    pub fn id<T: for<'b> TryFrom<&'b [u8]>>(self, name: &str) -> T {
        T::try_from(&self.bytes(name)).unwrap_or_else(|_| panic!("{name} has a wrong length"))
    }

    /// An integer.
    pub fn integer(self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name} is no integer"))
    }

    /// A list of hexadecimal byte strings.
    pub fn list(self, name: &str) -> Vec<Vec<u8>> {
        let items = self.field(name).as_array().unwrap_or_else(|| panic!("{name} is no list"));
        items
            .iter()
            .map(|item| {
                let text = item.as_str().unwrap_or_else(|| panic!("{name} holds no strings"));
                hex::decode(text).unwrap_or_else(|_| panic!("{name} is not hexadecimal"))
            })
            .collect()
    }
}
