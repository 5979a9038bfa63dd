namespace ClipGen.Checkpoints;

/// <summary>The opcodes that are read, and names of those that are refused, for messages.</summary>
internal static class PickleOpcodes
{
    public const byte Proto = 0x80, Stop = (byte)'.', Frame = 0x95;
    public const byte Mark = (byte)'(', EmptyTuple = (byte)')', Tuple = (byte)'t', Tuple1 = 0x85, Tuple2 = 0x86, Tuple3 = 0x87;
    public const byte EmptyList = (byte)']', Append = (byte)'a', Appends = (byte)'e';
    public const byte EmptyDict = (byte)'}', SetItem = (byte)'s', SetItems = (byte)'u';
    public const byte EmptySet = 0x8F, AddItems = 0x90, FrozenSet = 0x91;
    public const byte None = (byte)'N', NewTrue = 0x88, NewFalse = 0x89;
    public const byte BinInt = (byte)'J', BinInt1 = (byte)'K', BinInt2 = (byte)'M', Long1 = 0x8A, Long4 = 0x8B, BinFloat = (byte)'G';
    public const byte BinUnicode = (byte)'X', ShortBinUnicode = 0x8C, BinUnicode8 = 0x8D, BinString = (byte)'T', ShortBinString = (byte)'U';
    public const byte BinBytes = (byte)'B', ShortBinBytes = (byte)'C', BinBytes8 = 0x8E;
    public const byte Global = (byte)'c', StackGlobal = 0x93, Reduce = (byte)'R', NewObj = 0x81, Build = (byte)'b', BinPersId = (byte)'Q';
    public const byte BinGet = (byte)'h', LongBinGet = (byte)'j', BinPut = (byte)'q', LongBinPut = (byte)'r', Memoize = 0x94;

    /// <summary>How Python's pickletools calls an opcode that is refused.</summary>
    public static string NameOfRefused(byte opcode) => opcode switch
    {
        (byte)'i' => "INST",
        (byte)'o' => "OBJ",
        0x92 => "NEWOBJ_EX",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        (byte)'P' => "PERSID",
        (byte)'0' => "POP",
        (byte)'1' => "POP_MARK",
        (byte)'2' => "DUP",
        (byte)'l' => "LIST",
        (byte)'d' => "DICT",
        (byte)'I' => "INT",
        (byte)'L' => "LONG",
        (byte)'F' => "FLOAT",
        (byte)'S' => "STRING",
        (byte)'V' => "UNICODE",
        (byte)'g' => "GET",
        (byte)'p' => "PUT",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => "unknown",
    };
}
