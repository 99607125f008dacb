@main enum Stage {
  static func main() {}
}
@c(stage_main) @used
func stageMain() {
  let uart = unsafe UnsafeMutablePointer<UInt32>(bitPattern: 0x0900_0000)
  for c in "hello\r\n".utf8 { unsafe uart?.pointee = UInt32(c) }
}
