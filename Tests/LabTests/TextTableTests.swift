import Lab
import Testing

@Suite struct TextTableTests {
  @Test func columnsAreAligned() {
    var table = TextTable(["", "bytes"])
    table.add(["kernel", "27,236,288"])
    table.add(["dtb", "1"])
    #expect(
      table.text == """
                     bytes
        ──────  ──────────
        kernel  27,236,288
        dtb              1

        """)
  }

  @Test(
    arguments: [
      (0, "0.000 M"), (499, "0.000 M"), (500, "0.001 M"), (37_368_775, "37.369 M"),
      (1_038_928_867, "1,038.929 M"),
    ] as [(UInt64, String)])
  func instructionsAreGivenInMillions(number: UInt64, text: String) {
    #expect(TextTable.millions(number) == text)
  }
}
