//! The directory of a zip archive whose members are stored, not compressed (APPNOTE 6.3.10, sections 4.3 and 4.5.3). The `zip`
//! crate reads from blocking streams and includes decompressors, so it fits neither [`ByteSource`] nor a small WebAssembly module.

use std::collections::BTreeMap;

use crate::error::{Error, Result, bail, err};
use crate::format::source::ByteSource;

/// Maximum size of the directory in bytes.
const MAX_DIRECTORY_BYTES: u64 = 16 << 20;

/// Bytes of the end record, without the comment that may follow it.
const END_BYTES: u64 = 22;

/// PyTorch aligns the content of members to a multiple of this many bytes.
const ALIGNMENT: u64 = 64;

/// The flag of an encrypted member (section 4.4.4).
const ENCRYPTED: u16 = 1;

/// The flag of a member whose content is followed by a data descriptor.
const DESCRIPTOR: u16 = 8;

pub(super) struct Member {
    /// Offset of the local header.
    header: u64,
    /// Offset at which the next member or the directory starts.
    limit: u64,
    /// Size of the content in bytes.
    pub(super) size: u64,
    /// Size of the name in bytes.
    name_len: u64,
    method: u16,
    flags: u16,
}

pub(super) struct Archive {
    members: BTreeMap<String, Member>,
}

impl Archive {
    pub(super) async fn read(source: &dyn ByteSource) -> Result<Archive> {
        let len = source.len();
        let start = source.read(0, len.min(4) as usize).await?;
        if start != b"PK\x03\x04" {
            bail!(
                FileCorrupt,
                "expected a zip archive or the pickles of an older PyTorch, found the bytes {start:02x?}"
            );
        }
        let tail_len = len.min(END_BYTES + 65535);
        let tail = source.read(len - tail_len, tail_len as usize).await?;
        let is_end = |at: &usize| {
            tail[*at..].starts_with(b"PK\x05\x06")
                && u16_at(&tail, at + 20).is_some_and(|comment| at + 22 + usize::from(comment) == tail.len())
        };
        let Some(at) = (0..tail.len()).rev().find(is_end) else {
            bail!(FileCorrupt, "expected the end of a zip archive; the file is incomplete");
        };
        let end = len - tail_len + at as u64;
        let field = |at: usize| u32_at(&tail, at).map(u64::from).ok_or_else(truncated);
        let mut count = u64::from(u16_at(&tail, at + 10).ok_or_else(truncated)?);
        let (mut size, mut directory) = (field(at + 12)?, field(at + 16)?);
        if count == 0xffff || size == 0xffff_ffff || directory == 0xffff_ffff {
            let Some(at) = end.checked_sub(20) else { bail!(FileCorrupt, "expected a zip64 locator") };
            let locator = source.read(at, 20).await?;
            if !locator.starts_with(b"PK\x06\x07") {
                bail!(FileCorrupt, "expected a zip64 locator before the end of the archive");
            }
            let record = source.read(u64_at(&locator, 8).ok_or_else(truncated)?, 56).await?;
            if !record.starts_with(b"PK\x06\x06") {
                bail!(FileCorrupt, "expected a zip64 end record where its locator points");
            }
            count = u64_at(&record, 32).ok_or_else(truncated)?;
            size = u64_at(&record, 40).ok_or_else(truncated)?;
            directory = u64_at(&record, 48).ok_or_else(truncated)?;
        }
        if directory.checked_add(size).is_none_or(|after| after > end) || size > MAX_DIRECTORY_BYTES {
            bail!(
                FileCorrupt,
                "expected the zip directory within the file, found {size} bytes at {directory}"
            );
        }
        // For most models, the tail contains the whole directory.
        let in_tail = directory.checked_sub(len - tail_len).and_then(|from| tail.get(from as usize..at));
        let in_tail = in_tail.and_then(|rest| rest.get(..size as usize)).map(<[u8]>::to_vec);
        let bytes = match in_tail {
            Some(bytes) => bytes,
            None => source.read(directory, size as usize).await?,
        };
        let mut members = members(&bytes, count)?;
        set_limits(&mut members, directory)?;
        Ok(Archive { members })
    }

    /// The path before `data.pkl`, which ends in `/`.
    pub(super) fn root(&self) -> Result<&str> {
        let mut roots = self.members.keys().filter_map(|name| name.strip_suffix("data.pkl"));
        match (roots.next(), roots.next()) {
            (Some(root), None) if root.ends_with('/') => Ok(root),
            _ => bail!(FileCorrupt, "expected one folder with a data.pkl in the zip archive"),
        }
    }

    /// The member called `name`, if there is one.
    pub(super) fn get(&self, name: &str) -> Result<Option<&Member>> {
        let member = self.members.get(name);
        match member {
            Some(member) if member.flags & ENCRYPTED != 0 => {
                bail!(ModelUnsupported, "member {name}: expected stored bytes, found an encrypted member")
            }
            Some(member) if member.method != 0 => bail!(
                ModelUnsupported,
                "member {name}: expected stored bytes, found a member compressed by method {}; PyTorch itself \
                 compresses nothing",
                member.method
            ),
            _ => Ok(member),
        }
    }

    /// Offset of a member's content. It is computed if PyTorch wrote the archive. Otherwise it is read from the local header, which
    /// costs a request for each member.
    pub(super) async fn data(source: &dyn ByteSource, member: &Member) -> Result<u64> {
        if let Some(data) = member.aligned_data() {
            return Ok(data);
        }
        let header = source.read(member.header, 30).await?;
        let (Some(name), Some(extra)) = (u16_at(&header, 26), u16_at(&header, 28)) else {
            return Err(truncated());
        };
        let data = member.header + 30 + u64::from(name) + u64::from(extra);
        let end = data.checked_add(member.size);
        if !header.starts_with(b"PK\x03\x04") || end.is_none_or(|end| end > member.limit) {
            bail!(FileCorrupt, "expected a member of {} bytes at {}", member.size, member.header);
        }
        Ok(data)
    }
}

impl Member {
    /// Where PyTorch places the content: at the first multiple of 64 after the local header with an extra field of at least 4
    /// bytes. `None` if the content, with its data descriptor, then does not end exactly where the next member starts.
    fn aligned_data(&self) -> Option<u64> {
        let large = u64::from(u32::MAX);
        // The zip64 field before the padding has the two sizes and the header's offset.
        let (is_large, is_far) = (self.size >= large, self.header >= large);
        let zip64 = match (is_large, is_far) {
            (false, false) => 0,
            _ => 4 + if is_large { 16 } else { 0 } + if is_far { 8 } else { 0 },
        };
        let descriptor = match (self.flags & DESCRIPTOR != 0, zip64 > 0) {
            (false, _) => 0,
            (true, false) => 16,
            (true, true) => 24,
        };
        let data =
            self.header.checked_add(30 + 4 + zip64 + self.name_len)?.checked_next_multiple_of(ALIGNMENT)?;
        let end = data.checked_add(self.size)?.checked_add(descriptor)?;
        (end == self.limit).then_some(data)
    }
}

/// Finds where the member after each one, or the directory, starts, and checks that each member ends before that.
fn set_limits(members: &mut BTreeMap<String, Member>, directory: u64) -> Result<()> {
    let mut in_order: Vec<_> = members.iter_mut().collect();
    in_order.sort_unstable_by_key(|(_, member)| member.header);
    let mut limit = directory;
    for (name, member) in in_order.into_iter().rev() {
        let Member { header, size, .. } = *member;
        if header.checked_add(30).and_then(|data| data.checked_add(size)).is_none_or(|end| end > limit) {
            bail!(
                FileCorrupt,
                "member {name}: {size} bytes at {header} overlap the data that begin at {limit}"
            );
        }
        member.limit = limit;
        limit = header;
    }
    Ok(())
}

fn members(bytes: &[u8], count: u64) -> Result<BTreeMap<String, Member>> {
    let mut members = BTreeMap::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let part = |at: usize| u16_at(rest, at).map(usize::from).ok_or_else(truncated);
        let size = |at: usize| u32_at(rest, at).map(u64::from).ok_or_else(truncated);
        if !rest.starts_with(b"PK\x01\x02") {
            bail!(FileCorrupt, "expected an entry of the zip directory");
        }
        let (name_len, extra_len, comment_len) = (part(28)?, part(30)?, part(32)?);
        let name = rest.get(46..46 + name_len).ok_or_else(truncated)?;
        let extra = rest.get(46 + name_len..46 + name_len + extra_len).ok_or_else(truncated)?;
        let Ok(name) = str::from_utf8(name) else { bail!(FileCorrupt, "expected member names in UTF-8") };
        // Fields that do not fit in 32 bits are stored, in this order, in the extra field with id 1.
        let mut fields = [size(24)?, size(20)?, size(42)?];
        let mut wide = zip64(extra).chunks_exact(8);
        for field in fields.iter_mut().filter(|field| **field == 0xffff_ffff) {
            *field = wide.next().and_then(|bytes| u64_at(bytes, 0)).ok_or_else(truncated)?;
        }
        let [size, stored, header] = fields;
        let method = u16_at(rest, 10).ok_or_else(truncated)?;
        if method == 0 && stored != size {
            bail!(FileCorrupt, "member {name}: expected {size} stored bytes, found {stored}");
        }
        let flags = u16_at(rest, 8).ok_or_else(truncated)?;
        let name_len = name_len as u64;
        let member = Member { header, limit: 0, size: stored, name_len, method, flags };
        if members.insert(name.to_owned(), member).is_some() {
            bail!(FileCorrupt, "member {name}: it occurs twice");
        }
        rest = rest.get(46 + name.len() + extra_len + comment_len..).ok_or_else(truncated)?;
    }
    if members.len() as u64 != count {
        bail!(FileCorrupt, "expected {count} members in the zip directory, found {}", members.len());
    }
    Ok(members)
}

/// The content of the zip64 extra field, empty if there is none.
fn zip64(mut extra: &[u8]) -> &[u8] {
    while let (Some(id), Some(len)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let Some((field, rest)) = extra.get(4..).and_then(|rest| rest.split_at_checked(len.into())) else {
            break;
        };
        if id == 1 {
            return field;
        }
        extra = rest;
    }
    &[]
}

fn truncated() -> Error {
    err!(FileCorrupt, "the zip directory ends within an entry")
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}
