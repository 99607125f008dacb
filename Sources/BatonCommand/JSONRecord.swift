import LinuxHost

/// A flat object that this command wrote (`JSONText`), read back. Anybody may have changed the file:
/// what is not there is nil.
struct JSONRecord {
  private let bytes: [UInt8]

  init?<System: LinuxSystem>(path: String, _ system: System) {
    do throws(Errno) { bytes = try system.read(path) } catch { return nil }
  }

  /// The string behind `key`. The key cannot be met inside a string: quotation marks are escaped
  /// there.
  func string(_ key: StaticString) -> String? {
    let mark = Array("\"".utf8) + Array(String(key).utf8) + Array("\":\"".utf8)
    guard bytes.count >= mark.count else { return nil }
    for start in 0...(bytes.count - mark.count) where bytes[start...].starts(with: mark) {
      var value: [UInt8] = []
      var isEscaped = false
      for byte in bytes[(start + mark.count)...] {
        switch byte {
        case 0x5c where !isEscaped: isEscaped = true
        case 0x22 where !isEscaped: return String(decoding: value, as: UTF8.self)
        default:
          value.append(byte)
          isEscaped = false
        }
      }
    }
    return nil
  }

  /// The record with the first `text` in it replaced, if it is there.
  func replacing(_ text: String, by replacement: String) -> [UInt8] {
    let text = Array(text.utf8)
    guard bytes.count >= text.count else { return bytes }
    for start in 0...(bytes.count - text.count) where bytes[start...].starts(with: text) {
      return Array(bytes[..<start]) + Array(replacement.utf8) + bytes[(start + text.count)...]
    }
    return bytes
  }

  /// The hexadecimal number behind `key`.
  func number(_ key: StaticString) -> UInt64? {
    guard let text = string(key), text.utf8.starts(with: "0x".utf8) else { return nil }
    return UInt64(String(decoding: Array(text.utf8).dropFirst(2), as: UTF8.self), radix: 16)
  }
}
