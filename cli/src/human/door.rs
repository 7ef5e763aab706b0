//! Links of groups and requests to be let in, as lines.

use super::{Paint, qr_lines};
use crate::{
    moment,
    record::{GroupLinkRecord, RequestRecord, Showing},
    visible,
};

/// A link; with its QR code for who is about to pass it on.
pub(super) fn group_link(link: &GroupLinkRecord, paint: Paint) -> Vec<String> {
    let text = visible::line(link.text.expose());
    let state = match link.state.as_str() {
        "active" => paint.good("active"),
        "pending" => paint.fair("pending"),
        other => paint.faint(other),
    };
    let until = match (link.expires_at_ms, link.state.as_str()) {
        (Some(end), "active" | "pending") => format!(" until {}", moment::utc(end)),
        (Some(end), "expired") => format!(" {}", moment::utc(end)),
        _ => String::new(),
    };
    let uses = match link.uses {
        Some(1) => ", for one request".to_owned(),
        Some(uses) => format!(", for {uses} requests"),
        None => String::new(),
    };
    let admission = &link.admission;
    match link.showing {
        Showing::InList => {
            vec![format!("{:>3}  {admission:<8}{uses}  {state}{until}  {text}", link.link)]
        }
        Showing::WithQr => {
            let mut lines = qr_lines(link.text.expose(), paint);
            lines.push(text);
            let (number, state) = (link.link, &link.state);
            lines.push(paint.faint(&format!("link {number}, {admission}{uses}, {state}{until}")));
            lines
        }
    }
}

/// Somebody who asks.
pub(super) fn request(request: &RequestRecord, paint: Paint) -> String {
    let name = paint.strong(&request.label);
    let by = request.link.map_or_else(String::new, |link| format!(", by link {link}"));
    let state = match request.state.as_str() {
        "waiting" => paint.fair("waiting"),
        other => paint.faint(other),
    };
    let asked = moment::utc(request.asked_at_ms);
    let fingerprint = paint.faint(&visible::line(&request.fingerprint));
    format!("{:>3}  {name}  {state}, asked {asked}{by}  {fingerprint}", request.request)
}
