// SPDX-License-Identifier: Apache-2.0
//! A deserializer without input, which writes down what a type asks it for and answers with made-up values.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
        value::StrDeserializer,
    },
};

/// Types within types are followed this deep; what refers to itself would have no end.
const DEPTH: usize = 6;

/// A type that cannot be kept, because an inner `None` looks like an outer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ambiguous {
    type_name: &'static str,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} has an Option of an Option or of (), of which stored values cannot be told apart; use an enum of your own",
            self.type_name
        )
    }
}

/// What a type has asked for.
#[derive(Debug, Default)]
pub(super) struct Traced {
    pub(super) text: String,
    /// The fields of the outermost struct.
    pub(super) fields: &'static [&'static str],
    /// What those fields are that were given to it.
    pub(super) texts: BTreeMap<&'static str, String>,
    /// The field that it could not do without.
    pub(super) missing: Option<&'static str>,
}

/// Describes a type. Where it is a struct it gets only the fields in `given`, or all.
pub(super) fn describe<T: DeserializeOwned>(
    given: Option<&BTreeSet<&'static str>>,
) -> Result<Traced, Ambiguous> {
    let log = Log::default();
    let outcome = T::deserialize(Tracer { log: &log, given, depth: 0, in_option: false });
    let mut traced = log.traced.into_inner();
    if let Err(Refused::Missing(field)) = outcome {
        traced.missing = Some(field);
    }
    traced.text = log.text.into_inner();
    if log.ambiguous.into_inner() {
        Err(Ambiguous { type_name: std::any::type_name::<T>() })
    } else {
        Ok(traced)
    }
}

#[derive(Default)]
struct Log {
    text: RefCell<String>,
    traced: RefCell<Traced>,
    ambiguous: RefCell<bool>,
}

impl Log {
    fn say(&self, text: &str) {
        self.text.borrow_mut().push_str(text);
    }
}

/// Why a type does not take what it is given.
#[derive(Debug)]
enum Refused {
    Missing(&'static str),
    Other,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a made-up value is refused")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self::Other
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }
}

#[derive(Clone, Copy)]
struct Tracer<'a> {
    log: &'a Log,
    given: Option<&'a BTreeSet<&'static str>>,
    depth: usize,
    in_option: bool,
}

impl Tracer<'_> {
    fn inner(self) -> Self {
        Self { depth: self.depth + 1, in_option: false, ..self }
    }

    fn too_deep(self) -> Result<(), Refused> {
        if self.depth < DEPTH {
            return Ok(());
        }
        self.log.say("...");
        Err(Refused::Other)
    }

    /// Visits a type in brackets, which are closed whatever it says.
    fn bracketed<R>(
        self,
        open: &str,
        close: &str,
        inner: impl FnOnce(Self) -> Result<R, Refused>,
    ) -> Result<R, Refused> {
        self.log.say(open);
        let outcome = self.inner().too_deep().and_then(|()| inner(self.inner()));
        self.log.say(close);
        outcome
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let fields = Fields { tracer: self, names: fields, next: 0 };
        visitor.visit_map(fields)
    }
}

macro_rules! plain {
    ($($method:ident $visit:ident $text:literal $value:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.log.say($text);
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Refused;

    plain! {
        deserialize_bool visit_bool "bool" true;
        deserialize_i8 visit_i8 "i8" 1;
        deserialize_i16 visit_i16 "i16" 1;
        deserialize_i32 visit_i32 "i32" 1;
        deserialize_i64 visit_i64 "i64" 1;
        deserialize_i128 visit_i128 "i128" 1;
        deserialize_u8 visit_u8 "u8" 1;
        deserialize_u16 visit_u16 "u16" 1;
        deserialize_u32 visit_u32 "u32" 1;
        deserialize_u64 visit_u64 "u64" 1;
        deserialize_u128 visit_u128 "u128" 1;
        deserialize_f32 visit_f32 "f32" 1.0;
        deserialize_f64 visit_f64 "f64" 1.0;
        deserialize_char visit_char "char" '1';
        deserialize_str visit_str "string" "1";
        deserialize_string visit_str "string" "1";
        deserialize_bytes visit_bytes "bytes" b"1";
        deserialize_byte_buf visit_bytes "bytes" b"1";
    }

    /// What describes itself says nothing of its type.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.log.say("any");
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.in_option {
            *self.log.ambiguous.borrow_mut() = true;
        }
        self.bracketed("option<", ">", |tracer| visitor.visit_some(Tracer { in_option: true, ..tracer }))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.in_option {
            *self.log.ambiguous.borrow_mut() = true;
        }
        self.log.say("()");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.bracketed("[", "]", |tracer| visitor.visit_seq(Items { tracer, left: 1, first: true }))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Refused> {
        self.bracketed("(", ")", |tracer| visitor.visit_seq(Items { tracer, left: length, first: true }))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.bracketed("map<", ">", |tracer| visitor.visit_map(Pairs { tracer, left: 1 }))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.log.say(name);
        if self.depth == 0 {
            self.log.traced.borrow_mut().fields = fields;
            return self.fields(fields, visitor);
        }
        self.bracketed(" {", "}", |tracer| tracer.fields(fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.log.say(name);
        self.log.say(" [");
        self.log.say(&variants.join("|"));
        self.log.say("]");
        self.inner().too_deep()?;
        // What is in the variant is not written down: only one can be asked for it.
        let aside = Log::default();
        let tracer = Tracer { log: &aside, ..self.inner() };
        let variant = variants.first().copied().ok_or(Refused::Other)?;
        let outcome = visitor.visit_enum(Variant { tracer, variant });
        if *aside.ambiguous.borrow() {
            *self.log.ambiguous.borrow_mut() = true;
        }
        outcome
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items of a sequence.
struct Items<'a> {
    tracer: Tracer<'a>,
    left: usize,
    first: bool,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if !std::mem::take(&mut self.first) {
            self.tracer.log.say(", ");
        }
        seed.deserialize(self.tracer).map(Some)
    }
}

/// One pair of a map.
struct Pairs<'a> {
    tracer: Tracer<'a>,
    left: usize,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Refused;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(self.tracer).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        self.tracer.log.say(", ");
        seed.deserialize(self.tracer)
    }
}

/// The fields of a struct. Those of the outermost one are written down apart, and may be only some.
struct Fields<'a> {
    tracer: Tracer<'a>,
    names: &'static [&'static str],
    next: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let outermost = self.tracer.depth == 0;
        while let Some(name) = self.names.get(self.next).copied() {
            self.next += 1;
            if outermost && self.tracer.given.is_some_and(|given| !given.contains(name)) {
                continue;
            }
            return seed.deserialize(StrDeserializer::new(name)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refused> {
        let name = self.names[self.next - 1];
        if self.tracer.depth > 0 {
            self.tracer.log.say(if self.next > 1 { ", " } else { "" });
            self.tracer.log.say(name);
            self.tracer.log.say(": ");
            return seed.deserialize(self.tracer);
        }
        let aside = Log::default();
        let outcome = seed.deserialize(Tracer { log: &aside, ..self.tracer.inner() });
        if *aside.ambiguous.borrow() {
            *self.tracer.log.ambiguous.borrow_mut() = true;
        }
        self.tracer.log.traced.borrow_mut().texts.insert(name, aside.text.into_inner());
        outcome
    }
}

/// A variant of an enum.
struct Variant<'a> {
    tracer: Tracer<'a>,
    variant: &'static str,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Refused> {
        Ok((seed.deserialize(StrDeserializer::new(self.variant))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refused> {
        seed.deserialize(self.tracer)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Refused> {
        self.tracer.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.tracer.fields(fields, visitor)
    }
}
