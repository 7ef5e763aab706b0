//! What the members of a group have agreed on, as lines.

use super::{Paint, file_size};
use crate::{code::code_of, commands::who, record::GroupRecord, visible};

/// The lines of a group: one for each thing, a description of several lines indented.
pub(super) fn group(group: &GroupRecord, paint: Paint) -> Vec<String> {
    let mut lines = vec![format!("name          {}", paint.strong(&group.label))];
    if !group.description.is_empty() {
        let mut described = visible::lines(&group.description).into_iter();
        lines.push(format!("about         {}", described.next().unwrap_or_default()));
        lines.extend(described.map(|line| format!("              {line}")));
    }
    if let (Some(media_type), Some(size)) = (&group.picture_type, group.picture_size) {
        let media_type = visible::line(media_type);
        lines.push(format!("picture       {media_type}, {}", file_size(size)));
    }
    lines.push(format!("you are       {}", group.role));
    lines.extend(group.rights.iter().map(|(right, least)| {
        let right = code_of(right).replace('_', "-");
        format!("{right:<13} {}", who(*least))
    }));
    lines
}
