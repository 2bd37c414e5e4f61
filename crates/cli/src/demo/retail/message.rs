// SPDX-License-Identifier: Apache-2.0
//! What a message is: the sales of one store as JSON text, and how it is parsed and validated.

use std::borrow::Cow;

use dstreams::{Text, streaming::Rejection};
use serde::{Deserialize, Serialize};

/// The number of a sale is that of its message, times this, plus its place in the message.
pub(super) const PLACES: u64 = 256;

/// A message. Names are borrowed from the text, so that nothing but the list of its sales is allocated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message<'a> {
    pub(super) message: u64,
    pub(super) store: u32,
    #[serde(borrow)]
    pub(super) sales: Vec<RawSale<'a>>,
}

/// A sale as the till has sent it. Numbers have room for what makes no sense, so that one bad sale does not spoil its
/// message.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSale<'a> {
    pub(super) id: u64,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) customer: u32,
    pub(super) product: u32,
    pub(super) quantity: i64,
    pub(super) cents: i64,
    pub(super) payment: &'a str,
}

/// A sale that makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sale {
    pub(super) id: u64,
    pub(super) at: i64,
    pub(super) store: u32,
    pub(super) customer: u32,
    pub(super) product: u32,
    pub(super) quantity: u32,
    /// What was paid for all of it.
    pub(super) cents: i64,
    pub(super) payment: Payment,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Payment {
    Card,
    Cash,
    Voucher,
}

/// What cannot be processed: a whole message, or a message made of the one sale that is wrong. Either can be replayed as it
/// is when the reason is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rejected {
    reason: Text,
    raw: Text,
}

/// How the reason begins when it is a whole message that is wrong.
pub(super) const NOT_A_MESSAGE: &str = "not a message";

impl Rejection for Rejected {
    fn raw(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.raw.as_bytes())
    }

    fn reason(&self) -> String {
        self.reason.to_string()
    }
}

impl Payment {
    pub(super) const ALL: [Self; 3] = [Self::Card, Self::Cash, Self::Voucher];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Cash => "cash",
            Self::Voucher => "voucher",
        }
    }
}

/// The sales of a message, each good or rejected; or the message as a whole is.
pub(super) fn parse(text: &Text) -> Vec<Result<Sale, Rejected>> {
    match serde_json::from_str::<Message<'_>>(text) {
        Ok(message) => {
            message.sales.iter().map(|sale| validate(sale, message.message, message.store)).collect()
        }
        Err(error) => {
            let reason = Text::from(format!("{NOT_A_MESSAGE}: {error}"));
            vec![Err(Rejected { reason, raw: text.clone() })]
        }
    }
}

fn validate(sale: &RawSale<'_>, message: u64, store: u32) -> Result<Sale, Rejected> {
    let payment = Payment::ALL.into_iter().find(|payment| payment.name() == sale.payment);
    let quantity = u32::try_from(sale.quantity).ok().filter(|quantity| *quantity > 0);
    match (payment, quantity) {
        (Some(payment), Some(quantity)) if sale.cents > 0 => Ok(Sale {
            id: sale.id,
            at: sale.at,
            store,
            customer: sale.customer,
            product: sale.product,
            quantity,
            cents: sale.cents,
            payment,
        }),
        (None, _) => Err(rejected(sale, message, store, format!("unknown payment `{}`", sale.payment))),
        (_, None) => Err(rejected(sale, message, store, format!("a quantity of {}", sale.quantity))),
        _ => Err(rejected(sale, message, store, format!("a price of {} cents", sale.cents))),
    }
}

fn rejected(sale: &RawSale<'_>, message: u64, store: u32, reason: String) -> Rejected {
    let alone = Message { message, store, sales: vec![*sale] };
    let raw = serde_json::to_string(&alone).expect("numbers and text are always JSON");
    Rejected { reason: reason.into(), raw: raw.into() }
}

impl Sale {
    /// This sale as a dead letter, when what is wrong with it is found out later.
    pub(super) fn rejected(&self, reason: String) -> Rejected {
        let raw = RawSale {
            id: self.id,
            at: self.at,
            customer: self.customer,
            product: self.product,
            quantity: i64::from(self.quantity),
            cents: self.cents,
            payment: self.payment.name(),
        };
        rejected(&raw, self.id / PLACES, self.store, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALE: &str =
        r#"{"id":512,"at":5,"customer":7,"product":8,"quantity":2,"cents":398,"payment":"cash"}"#;

    fn message(sales: &str) -> Text {
        format!(r#"{{"message":2,"store":4,"sales":[{sales}]}}"#).into()
    }

    #[test]
    fn good_sales_are_taken_and_bad_ones_rejected_alone() {
        let bad = [("\"cash\"", "\"shells\""), (":2,", ":-2,"), ("398", "0")]
            .map(|(is, was)| SALE.replace(is, was));
        let parsed = parse(&message(&format!("{SALE},{}", bad.join(","))));
        assert_eq!(parsed.iter().filter(|sale| sale.is_ok()).count(), 1);
        let sale = parsed[0].clone().unwrap();
        assert_eq!((sale.store, sale.quantity, sale.payment), (4, 2, Payment::Cash));
        let reasons: Vec<Text> = parsed[1..].iter().map(|sale| sale.clone().unwrap_err().reason).collect();
        assert_eq!(reasons, ["unknown payment `shells`", "a quantity of -2", "a price of 0 cents"]);
        for (rejected, sale) in parsed[1..].iter().zip(bad) {
            assert_eq!(rejected.clone().unwrap_err().raw, message(&sale));
        }
    }

    #[test]
    fn text_that_is_no_message_is_rejected_as_a_whole() {
        let good = message(SALE);
        for bad in
            [good.slice(..good.len() - 9), "<html>502 Bad Gateway</html>".into(), "{\"store\":3}".into()]
        {
            let parsed = parse(&bad);
            assert_eq!(parsed.len(), 1);
            let rejected = parsed[0].clone().unwrap_err();
            assert!(rejected.reason.starts_with("not a message: "), "{}", rejected.reason);
            assert_eq!(rejected.raw, bad);
        }
    }

    #[test]
    fn a_sale_that_is_rejected_later_can_be_sent_again() {
        let sale = parse(&message(SALE))[0].clone().unwrap();
        let rejected = sale.rejected("unknown product 8".to_owned());
        assert_eq!(rejected.raw, message(SALE));
        assert_eq!(parse(&rejected.raw), [Ok(sale)]);
    }
}
