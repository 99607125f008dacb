import CLinuxHost
@c(baton_main)
public func main(argc: Int32, argv: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32 {
  var a: [String] = []
  for i in 0..<Int(argc) { if let p = unsafe argv[i] { unsafe a.append(String(cString: p)) } }
  let s = a.joined(separator: "+")
  for _ in s.utf8 { }
  if s.contains("x") { hello() } else { hello() }
  return 0
}
