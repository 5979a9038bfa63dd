using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;

namespace ClipGen.Kernels;

/// <summary>Copies from global to shared memory that go on while the threads do (PTX ISA, cp.async): no register holds what is under way.</summary>
internal static class AsyncCopy
{
    /// <summary>Begins to copy 16 bytes, or to write 16 zeros where <paramref name="bytes"/> is 0.</summary>
    /// <param name="shared">Where to, in shared memory.</param>
    /// <param name="global">Where from, in global memory; not read where <paramref name="bytes"/> is 0.</param>
    /// <param name="bytes">16 or 0.</param>
    [IntrinsicImplementation]
    public static void Copy(ref UInt4 shared, ref UInt4 global, int bytes) => shared = bytes == 0 ? default : global;

    /// <summary>Makes one group of the copies begun since the last.</summary>
    [IntrinsicImplementation]
    public static void Commit()
    {
    }

    /// <summary>Waits until at most one group, the newest, is under way. What other threads copied is there after a barrier.</summary>
    [IntrinsicImplementation]
    public static void WaitForAllButNewest()
    {
    }

    /// <summary>Waits until no group is under way. What other threads copied is there after a barrier.</summary>
    [IntrinsicImplementation]
    public static void WaitForAll()
    {
    }

    /// <summary>Instruction of <see cref="Copy"/>.</summary>
    public static void CopyPtx(PTXBackend backend, PTXCodeGenerator generator, Value call)
    {
        string shared = PtxIntrinsics.Address(generator, call[0], MemoryAddressSpace.Shared), global = PtxIntrinsics.Address(generator, call[1], MemoryAddressSpace.Global), bytes = PtxIntrinsics.List(generator, call[2]);
        generator.Builder.AppendLine($"\tcp.async.cg.shared.global [{shared}], [{global}], 16, {bytes};");
    }

    /// <summary>Instruction of <see cref="Commit"/>.</summary>
    public static void CommitPtx(PTXBackend backend, PTXCodeGenerator generator, Value call) => generator.Builder.AppendLine("\tcp.async.commit_group;");

    /// <summary>Instruction of <see cref="WaitForAllButNewest"/>.</summary>
    public static void WaitForAllButNewestPtx(PTXBackend backend, PTXCodeGenerator generator, Value call) => generator.Builder.AppendLine("\tcp.async.wait_group 1;");

    /// <summary>Instruction of <see cref="WaitForAll"/>.</summary>
    public static void WaitForAllPtx(PTXBackend backend, PTXCodeGenerator generator, Value call) => generator.Builder.AppendLine("\tcp.async.wait_group 0;");
}
