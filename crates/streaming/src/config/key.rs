// SPDX-License-Identifier: Apache-2.0
//! A typed key, and what the table can say about a key of any type.

use super::value::ConfigValue;

/// A key of the table whose values are of type `T`; see [`keys`](super::keys) for all of them.
#[derive(Debug)]
pub struct Key<T: ConfigValue> {
    name: &'static str,
    form: T::Form,
    default: Fallback<T>,
    meaning: &'static str,
}

/// What a key is when it is not set.
#[derive(Debug)]
enum Fallback<T> {
    /// The text of the default value.
    Text(&'static str),
    /// The value for "not set", and what is then done, in words.
    Unset { value: T, shown: &'static str },
}

impl<T: ConfigValue> Key<T> {
    /// A key that has the value `default` when it is not set.
    pub(super) const fn default_to(
        name: &'static str,
        form: T::Form,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, form, default: Fallback::Text(default), meaning }
    }

    /// The name of the key.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The value of a text that was checked, or of the default.
    pub(super) fn value_of(&self, text: Option<&str>) -> T {
        let text = match (text, &self.default) {
            (Some(text), _) => text,
            (None, Fallback::Text(text)) => *text,
            (None, Fallback::Unset { value, .. }) => return value.clone(),
        };
        T::parse(text, &self.form).expect("values are checked when they are set, defaults by a test")
    }
}

impl<T: ConfigValue> Key<Option<T>> {
    /// A key that may be left unset, which then has the effect `shown`.
    pub(super) const fn unset_means(
        name: &'static str,
        form: T::Form,
        shown: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { name, form, default: Fallback::Unset { value: None, shown }, meaning }
    }
}

/// A key of the table without its type.
pub(super) trait Entry: Sync {
    fn name(&self) -> &'static str;
    fn meaning(&self) -> &'static str;
    /// The form of its values, in words.
    fn expected(&self) -> String;
    /// The text of the default value, when there is one.
    fn default_text(&self) -> Option<&'static str>;
    /// The default for the eye: its text, or what being unset means.
    fn default_shown(&self) -> &'static str;
    /// Accepts a text, or says what is expected instead.
    fn check(&self, text: &str) -> Result<(), String>;
}

impl<T: ConfigValue> Entry for Key<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn meaning(&self) -> &'static str {
        self.meaning
    }

    fn expected(&self) -> String {
        T::expected(&self.form)
    }

    fn default_text(&self) -> Option<&'static str> {
        match self.default {
            Fallback::Text(text) => Some(text),
            Fallback::Unset { .. } => None,
        }
    }

    fn default_shown(&self) -> &'static str {
        match self.default {
            Fallback::Text(text) | Fallback::Unset { shown: text, .. } => text,
        }
    }

    fn check(&self, text: &str) -> Result<(), String> {
        T::parse(text, &self.form).map(drop).ok_or_else(|| self.expected())
    }
}
